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
    connector(store).map_err(|error| failed(error.to_string()))
}

fn connector(roots: RootCertStore) -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    async fn over(name: &str, trusted: bool) -> Result<String, SendError> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        if trusted {
            roots.add(made.cert.der().clone()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = Tls(OnceCell::from(connector(roots).unwrap()));
        let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (client, server) = tokio::join!(tls.handshake(name, dialled), async {
            let accepted = listener.accept().await.unwrap().0;
            TlsAcceptor::from(Arc::new(config)).accept(accepted).await
        });
        let mut client = client?;
        client.write_all(b"hello").await.unwrap();
        client.shutdown().await.unwrap();
        let mut read = String::new();
        server.unwrap().read_to_string(&mut read).await.unwrap();
        Ok(read)
    }

    #[tokio::test]
    async fn a_trusted_server_is_spoken_to() {
        assert_eq!(over("localhost", true).await.unwrap(), "hello");
    }

    #[tokio::test]
    async fn an_unknown_or_misnamed_server_is_not() {
        for (name, trusted) in [("localhost", false), ("example.com", true)] {
            let error = over(name, trusted).await.unwrap_err();
            assert!(matches!(&error, SendError::Connect(why) if why.contains("certificate")), "{error}");
        }
    }
}
