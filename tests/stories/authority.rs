//! A hospital's own certification authority, for the stories of the ways in.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A CA with its certificate in a file.
pub struct Authority {
    /// Its certificate, PEM.
    pub certificate: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    name: String,
}

/// Somebody whom a CA certified: files with the certificate, the key, and both together.
pub struct Certified {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub both: PathBuf,
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
            both: write("both", &(certificate.clone() + &key.serialize_pem())),
        }
    }
}
