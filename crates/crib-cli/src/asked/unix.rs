//! A terminal that does not show what is typed.

use std::fs::File;
use std::io::{self, Write as _};

use rpassword::ConfigBuilder;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use super::Read;

/// The terminal, which shows again what is typed when this is dropped.
pub(super) struct Hidden {
    terminal: File,
    before: Termios,
}

impl Hidden {
    /// Hides what is typed, and then asks.
    pub(super) fn begin(question: &str) -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut modes = before.clone();
        // A line of the terminal's own would end at 4096 bytes, and a stopped process leave the terminal as it is.
        modes.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        let mut this = Self { terminal, before };
        tcsetattr(&this.terminal, OptionalActions::Now, &modes)?;
        this.terminal.write_all(question.as_bytes())?;
        Ok(this)
    }

    /// Returns what reads the answer; Ctrl-C in it is an interrupt.
    pub(super) fn reader(&self) -> io::Result<Read> {
        let input = self.terminal.try_clone()?;
        Ok(Box::new(move || rpassword::read_password_with_config(ConfigBuilder::new().input_reader(input).output_discard().build())))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before).ok();
        // The answer, and its line break, were not shown.
        drop(self.terminal.write_all(b"\n"));
    }
}
