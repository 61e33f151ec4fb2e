//! Opening a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::endpoint::Origin;
use super::error::SendError;
use super::tls::Tls;
use super::wire::Wire;
use crate::turn::Tcp;

/// How long an address may keep the ones after it waiting.
const STEP: Duration = Duration::from_secs(2);

pub(crate) async fn open(origin: &Origin, tls: &Tls, timeout: Duration) -> Result<Wire, SendError> {
    let opening = async {
        let stream = connect(origin).await.map_err(|error| SendError::Connect(format!("{}:{}: {error}", origin.host, origin.port)))?;
        stream.set_nodelay(true).map_err(|error| SendError::Connect(error.to_string()))?;
        if origin.is_tls {
            return Ok(Wire::Tls(Box::new(tls.handshake(&origin.host, stream).await?)));
        }
        Ok(Wire::Plain(Tcp::new(stream)))
    };
    let late = |_| SendError::Connect(format!("{}:{}: no connection within {timeout:?}", origin.host, origin.port));
    tokio::time::timeout(timeout, opening).await.map_err(late)?
}

/// Tries the addresses of the host in order.
async fn connect(origin: &Origin) -> io::Result<TcpStream> {
    let mut addresses: Vec<SocketAddr> = tokio::net::lookup_host((origin.host.as_str(), origin.port)).await?.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    if origin.is_guarded {
        addresses.retain(|address| match crib_model::guarded_address(address.ip()) {
            None => true,
            Some(guarded) => {
                let text = format!("{} is {guarded}; `allowLinkLocal: true` lets a server be there", address.ip());
                last = io::Error::new(io::ErrorKind::PermissionDenied, text);
                false
            }
        });
    }
    for (at, address) in addresses.iter().enumerate() {
        let is_last = at + 1 == addresses.len();
        let attempt = TcpStream::connect(address);
        let outcome =
            if is_last { attempt.await } else { tokio::time::timeout(STEP, attempt).await.unwrap_or_else(|late| Err(late.into())) };
        match outcome {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
