//! Standard input and output as the system polls them.
//!
//! Tokio's own handles read and write on threads, which costs two switches per message and keeps a process alive that
//! waits for input. Pipes and sockets, which is what clients give their servers, can do without.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::FileType;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use super::{Input, Output};

pub(in crate::stdio) fn input() -> Input {
    let stdin = io::stdin();
    match kind(&stdin) {
        // Opened again, so that no other holder of the pipe is made not to block.
        Some(FileType::Fifo) => match pipe::OpenOptions::new().open_receiver("/proc/self/fd/0") {
            Ok(pipe) => Box::new(pipe),
            Err(error) => fall_back(&error, Box::new(tokio::io::stdin())),
        },
        Some(FileType::Socket) => match socket(&stdin) {
            Ok(socket) => Box::new(socket),
            Err(error) => fall_back(&error, Box::new(tokio::io::stdin())),
        },
        _ => Box::new(tokio::io::stdin()),
    }
}

pub(in crate::stdio) fn output() -> Output {
    let stdout = io::stdout();
    match kind(&stdout) {
        Some(FileType::Fifo) => match pipe::OpenOptions::new().open_sender("/proc/self/fd/1") {
            Ok(pipe) => Box::new(pipe),
            Err(error) => fall_back(&error, Box::new(tokio::io::stdout())),
        },
        Some(FileType::Socket) => match socket(&stdout) {
            Ok(socket) => Box::new(socket),
            Err(error) => fall_back(&error, Box::new(tokio::io::stdout())),
        },
        _ => Box::new(tokio::io::stdout()),
    }
}

fn kind(stream: &impl AsFd) -> Option<FileType> {
    rustix::fs::fstat(stream).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
}

fn socket(stream: &impl AsFd) -> io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(stream.as_fd().try_clone_to_owned()?);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

fn fall_back<T>(error: &io::Error, threads: T) -> T {
    tracing::debug!(%error, "standard streams are served by threads");
    threads
}
