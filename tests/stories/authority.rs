//! A hospital's own certification authority, for the stories of the ways in.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A CA with its certificate in a file.
pub struct Authority {
    /// Its certificate, PEM.
    pub certificate: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    name: String,
}

/// Somebody whom a CA certified: files with the certificate and the key.
pub struct Certified {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    /// One called `name`, with its files in `folder`.
    pub fn found(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = folder.join(format!("{name}.pem"));
        std::fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
            folder: folder.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Serves with TLS, at a port of its own, what `port` serves without: a hospital's reverse proxy. Ends with the test.
    pub async fn proxy(&self, who: &str, port: u16) -> u16 {
        let certified = self.certify(who);
        let chain = CertificateDer::pem_file_iter(&certified.certificate).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                chain.collect::<Result<_, _>>().unwrap(),
                PrivateKeyDer::from_pem_file(&certified.key).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut outside = acceptor.accept(tcp).await?;
                    let mut inside = TcpStream::connect(("127.0.0.1", port)).await?;
                    tokio::io::copy_bidirectional(&mut outside, &mut inside).await
                });
            }
        });
        own
    }

    /// Certifies `who` for `localhost`, and for no address.
    pub fn certify(&self, who: &str) -> Certified {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, who);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let write = |ending: &str, content: &str| {
            let path = self.folder.join(format!("{}-{who}.{ending}", self.name));
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        Certified {
            certificate: write("pem", &certificate),
            key: write("key", &key.serialize_pem()),
        }
    }
}
