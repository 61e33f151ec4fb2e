//! Standard input and output, as fast as the system has them.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(unix)]
pub(super) use unix::{input, output};
#[cfg(windows)]
pub(super) use windows::{input, output};

type Input = Box<dyn AsyncRead + Send + Unpin>;
type Output = Box<dyn AsyncWrite + Send + Unpin>;
