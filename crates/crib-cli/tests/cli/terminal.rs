//! Commands at a terminal, and what becomes of them when it is closed.

use std::io::{BufRead, BufReader, Read as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use super::run::{Home, lacks};

/// How long a command may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Leads a command at a terminal of its own: says its process, then what it shows, and types what it reads; closes the
/// terminal at the end of its own input, and ends as the command does.
const TERMINAL: &str = r#"
import os, pty, select, sys
pid, fd = pty.fork()
if pid == 0:
    import fcntl, struct, termios
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(os.environ.get('COLUMNS', '80')), 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
out = sys.stdout.buffer
out.write(b'%d\n' % pid)
out.flush()
while True:
    ready = select.select([fd, 0], [], [])[0]
    try:
        data = os.read(fd, 4096) if fd in ready else None
    except OSError:
        data = b''
    typed = os.read(0, 64) if 0 in ready else None
    if data == b'' or typed == b'':
        break
    out.write(data or b'')
    out.flush()
    os.write(fd, typed or b'')
os.close(fd)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
"#;

/// A command at a terminal.
pub(crate) struct Terminal {
    leader: Child,
    /// Closed with the terminal.
    stdin: Option<ChildStdin>,
    /// The process of the command.
    pid: String,
    shown: BufReader<std::process::ChildStdout>,
}

impl Terminal {
    fn start(home: &Home, args: &[&str]) -> Self {
        Self::of(&home.command(args))
    }

    /// Starts a command as it is, at a terminal.
    pub(crate) fn of(program: &Command) -> Self {
        let mut command = Command::new("python3");
        command.args(["-c", TERMINAL]).arg(program.get_program()).args(program.get_args());
        command.current_dir(program.get_current_dir().expect("a folder"));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut leader = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
        let mut shown = BufReader::new(leader.stdout.take().expect("piped"));
        let mut pid = String::new();
        shown.read_line(&mut pid).expect("a process");
        Self { stdin: leader.stdin.take(), leader, pid: pid.trim().to_owned(), shown }
    }

    /// Waits until it shows this, and returns what it showed till then.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) -> String {
        let (mut all, mut byte) = (Vec::new(), [0]);
        loop {
            let read = self.shown.read(&mut byte).unwrap_or(0);
            let shown = String::from_utf8_lossy(&all);
            assert!(read == 1, "no `{text}` in {shown}");
            all.push(byte[0]);
            if all.ends_with(text.as_bytes()) {
                return String::from_utf8_lossy(&all).into_owned();
            }
        }
    }

    /// Types this.
    pub(crate) fn types(&mut self, text: &str) {
        use std::io::Write as _;
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("it is read");
    }

    /// Waits for its end, and returns its status with what it showed last.
    #[track_caller]
    pub(crate) fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        self.shown.read_to_end(&mut rest).expect("it is ours");
        let shown = String::from_utf8_lossy(&rest).into_owned();
        (ends(self), shown)
    }

    /// Closes the terminal, and waits for what it led to end.
    pub(crate) fn leave(mut self) {
        self.close();
        ends(self);
    }

    /// Closes the terminal, as a window is closed.
    fn close(&mut self) {
        drop(self.stdin.take());
    }
}

fn hang_up(pid: &str) {
    assert!(Command::new("kill").args(["-HUP", pid]).status().expect("there is kill").success());
}

/// Waits for the end of a command, and returns its status.
#[track_caller]
fn ends(terminal: Terminal) -> i32 {
    let Terminal { mut leader, pid, stdin: _open, .. } = terminal;
    let (done, ended) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || done.send(leader.wait().expect("ours")));
    let status = ended.recv_timeout(PATIENCE);
    if status.is_err() {
        drop(Command::new("kill").args(["-KILL", &pid]).status());
    }
    drop(waiting.join());
    status.expect("it ends").code().unwrap_or(-1)
}

/// Reads what comes until a text is in it.
#[track_caller]
fn until(reader: &mut impl BufRead, text: &str) {
    let mut all = String::new();
    while !all.contains(text) {
        let begin = all.len();
        let read = reader.read_line(&mut all).unwrap_or(0);
        assert!(read > 0 && all.len() > begin, "no `{text}` in {all}");
    }
}

#[test]
fn a_command_that_waits_ends_with_its_terminal() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("hangup");
    home.good(&["run", "demo", "add", "a=1", "b=2"]);
    let mut terminal = Terminal::start(&home, &["logs", "--calls", "-f"]);
    // By its first line it listens to signals.
    until(&mut terminal.shown, "add");
    terminal.close();
    ends(terminal);
}

#[test]
fn a_gateway_reads_again_while_its_terminal_is_there_and_ends_with_it() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("hangup_serve");
    home.write("work/a.yaml", "servers:\n  demo: { builtin: demo }\n");
    let mut terminal = Terminal::start(&home, &["serve", "-c", "a.yaml"]);
    until(&mut terminal.shown, "connect  ");
    hang_up(&terminal.pid);
    until(&mut terminal.shown, "reloaded 1 server\r\n");
    terminal.close();
    assert_eq!(ends(terminal), 0);
}

#[test]
fn what_a_tool_says_keeps_its_bytes_and_gives_no_orders_to_a_terminal() {
    let home = Home::new("orders");
    home.write("work/a.yaml", "servers:\n  demo: { builtin: demo }\n");
    let text = "A\u{1b}[31mred\u{1b}]0;title\u{7}B\u{8}\u{9b}2J";
    let message = format!("message={text}");
    let args = ["call", "demo.echo", &message, "-c", "a.yaml"];
    assert_eq!(home.good(&args).stdout, format!("{text}\n"));
    if lacks("python3") {
        return;
    }
    for more in [&[][..], &["--raw"], &["--json"]] {
        let mut terminal = Terminal::start(&home, &[&args[..], more].concat());
        let mut shown = String::new();
        terminal.shown.read_to_string(&mut shown).expect("text");
        assert_eq!(ends(terminal), 0);
        assert!(shown.contains("red") && !shown.contains(['\u{1b}', '\u{7}', '\u{8}', '\u{9b}']), "{more:?} {shown:?}");
    }
}

#[test]
fn a_slow_start_is_seen_and_can_be_given_up() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("slow_start");
    let mut terminal = Terminal::start(&home, &["run", "--", "sleep", "100"]);
    terminal.shows("starting sleep   1s");
    terminal.types("\u{3}");
    let (status, shown) = terminal.end();
    assert!(status == 130 && shown.contains("taken back"), "{status} {shown}");
}

#[test]
fn who_interrupts_a_question_finds_the_terminal_as_it_was() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("interrupted_question");
    for (language, question) in [("en", "value of A: "), ("zh-CN", "A 的值：")] {
        let template = home.command(&[]);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "\"$0\" secret set A; echo ended $?; stty -a; echo over"]).arg(template.get_program());
        shell.current_dir(template.get_current_dir().expect("a folder")).env("TOOLCRIB_LANG", language);
        for (name, value) in template.get_envs() {
            value.map(|value| shell.env(name, value));
        }
        let mut terminal = Terminal::of(&shell);
        terminal.shows(question);
        terminal.types("hidden\u{3}");
        terminal.shows("ended 130");
        let modes = terminal.shows("over");
        assert!(modes.contains(" echo ") && modes.contains(" icanon ") && modes.contains("isig ") && !modes.contains("-isig"), "{modes}");
        assert_eq!(terminal.end().0, 0);
    }
    assert!(!home.good(&["secret", "ls"]).stdout.contains('A'), "nothing was kept");
    let mut terminal = Terminal::start(&home, &["secret", "set", "A", "--store", "file"]);
    terminal.shows("value of A: ");
    terminal.types("hiddem\u{7f}n\n");
    let (status, shown) = terminal.end();
    assert!(status == 0 && shown.contains("kept     A in the encrypted file") && !shown.contains("hidde"), "{status} {shown}");
}

const LONG: &str = "servers:\n  demo: { builtin: demo }\n  broken: { command: /nonexistent/a-folder-with-a-long-name/another-folder/the-server, args: [--with, --many-arguments] }\n";

#[test]
fn tables_are_no_wider_than_their_terminal() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("narrow");
    home.write("work/a.yaml", LONG);
    for columns in ["80", "60", "40"] {
        for args in [&["list", "-c", "a.yaml"][..], &["ps", "-c", "a.yaml"], &["show", "demo", "-c", "a.yaml"], &["explain"], &[]] {
            let mut terminal = Terminal::of(home.command(args).env("COLUMNS", columns));
            let mut shown = String::new();
            terminal.shown.read_to_string(&mut shown).expect("text");
            assert_eq!(ends(terminal), 0, "{shown}");
            let plain = anstream::adapter::strip_str(&shown).to_string();
            let wide: Vec<&str> = plain.lines().filter(|line| crib_words::width(line) > columns.parse().expect("a number")).collect();
            assert!(wide.is_empty(), "{args:?} at {columns}: {wide:#?}");
        }
    }
    // In a pipe nothing is cut.
    let listed = home.good(&["list", "-c", "a.yaml"]).stdout;
    assert!(listed.contains("/nonexistent/a-folder-with-a-long-name/another-folder/the-server --with --many"), "{listed}");
}
