//! TLS with the roots of the system, loaded when the first `https` origin is used.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::{SendError, reason};

#[derive(Default)]
pub(crate) struct Tls(OnceCell<TlsConnector>);

impl Tls {
    pub(crate) async fn handshake(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, SendError> {
        let connector = self.0.get_or_try_init(load).await?;
        let name = rustls::pki_types::ServerName::try_from(host.to_owned())
            .map_err(|error| SendError::Connect(format!("`{host}` is no name for TLS: {error}")))?;
        connector.connect(name, stream).await.map_err(|error| SendError::Connect(format!("TLS with `{host}`: {}", reason(&error))))
    }
}

async fn load() -> Result<TlsConnector, SendError> {
    let failed = |why: String| SendError::Connect(format!("TLS cannot be set up: {why}"));
    // Hundreds of files may be read.
    let roots = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await.map_err(|error| failed(error.to_string()))?;
    for error in &roots.errors {
        tracing::warn!(%error, "a root certificate of the system cannot be used");
    }
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(roots.certs);
    if added == 0 {
        return Err(failed("the system has no root certificates (install `ca-certificates`)".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.map_err(|error| failed(error.to_string()))?.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
