//! What a person answers at a terminal. Whoever interrupts a question finds the terminal as it was.

#[cfg(unix)]
mod unix;

use std::io::{self, BufRead as _};
use std::thread;

use tokio::sync::oneshot;

use crate::failure::{Exit, Failure};
use crate::output::harmless;
use crate::runtime;
use crate::signals::Signals;
use crate::tongue::said;

/// Reads an answer, on a thread of its own.
type Read = Box<dyn FnOnce() -> io::Result<String> + Send>;

/// Reads a line; nothing but its end where nobody answers any more.
pub(crate) fn line() -> Result<String, Failure> {
    answered(|| {
        let read: Read = Box::new(|| {
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer)?;
            Ok(answer)
        });
        Ok(((), read))
    })
}

/// Asks for what nobody should see, and does not show what is typed.
pub(crate) fn hidden(question: &str) -> Result<String, Failure> {
    let question = harmless(&said(question)).into_owned();
    answered(|| prepare(&question))
}

#[cfg(unix)]
fn prepare(question: &str) -> io::Result<(unix::Hidden, Read)> {
    let hidden = unix::Hidden::begin(question)?;
    let read = hidden.reader()?;
    Ok((hidden, read))
}

#[cfg(not(unix))]
fn prepare(question: &str) -> io::Result<((), Read)> {
    let question = question.to_owned();
    Ok(((), Box::new(move || rpassword::prompt_password(question))))
}

/// Waits for what is read, or for the person to give up; what was prepared is undone before this returns.
fn answered<G: Send>(prepare: impl FnOnce() -> io::Result<(G, Read)> + Send) -> Result<String, Failure> {
    let wait = async {
        // Before anything is changed that an interrupt has to undo.
        let mut signals = Signals::new()?;
        let (_undone, read) = prepare()?;
        let (send, answer) = oneshot::channel();
        // Nothing ends a read from a terminal but the end of the process, which follows when the person gives up.
        thread::spawn(move || drop(send.send(read())));
        tokio::select! {
            answer = answer => match answer {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Err(Failure::shown(Exit::Interrupted)),
                Ok(answer) => Ok(answer?),
                Err(_lost) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            },
            _ = signals.stop() => Err(Failure::shown(Exit::Interrupted)),
        }
    };
    // Commands ask with and without a runtime.
    let waited = thread::scope(|scope| scope.spawn(|| runtime::for_one_wait(wait)).join());
    waited.unwrap_or_else(|_panic| Err(io::Error::from(io::ErrorKind::Other).into()))
}
