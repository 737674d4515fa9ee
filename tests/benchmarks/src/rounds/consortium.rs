//! A consortium for one case: the real `aggregator` program in a home of its own, and sites with certificates of its CA.
//!
//! Sites are entered into the database before the server starts, by the same steps as an invitation, a request and an
//! approval: enrolment over the network is held to sixty requests a minute, which is not what is measured here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use snowball_crypto::SigningKey;
use snowball_protocol::{SiteName, StudyPlan, enrolment::EnrolmentRequest};
use snowball_registry::{Certificate, Redeemed, Registry};
use snowball_service::{clock, tls};
use snowball_tests::free_port;

use crate::watched;

/// How long the server may take until it listens.
const START: Duration = Duration::from_secs(20);

/// A founded consortium.
pub struct Consortium {
    aggregator: PathBuf,
    folder: PathBuf,
    port: u16,
}

/// The running server; it ends when this is dropped.
pub struct Server(Child);

/// What a site needs to reach the aggregator.
pub struct Papers {
    pub name: SiteName,
    pub address: String,
    pub authority_pem: String,
    pub certificate_pem: String,
    pub tls_key_pem: String,
    pub ledger_key: SigningKey,
    pub aggregator_key: String,
    /// The site's own folder.
    pub folder: PathBuf,
}

impl Consortium {
    /// Founds a consortium with `sites` sites in `folder`.
    ///
    /// # Errors
    /// When a step refuses.
    pub fn found(aggregator: &Path, folder: &Path, sites: u32) -> Result<Self> {
        let consortium = Self {
            aggregator: aggregator.to_owned(),
            folder: folder.to_owned(),
            port: free_port()?,
        };
        fs::create_dir_all(folder)?;
        let address = format!("localhost:{}", consortium.port);
        consortium.ask(&["init", "--consortium", "benchmark", "--address", &address])?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(consortium.enrol(sites))?;
        Ok(consortium)
    }

    /// Runs a command of the aggregator to its end.
    ///
    /// # Errors
    /// When it refuses.
    pub fn ask(&self, arguments: &[&str]) -> Result<String> {
        watched::ask(
            Command::new(&self.aggregator)
                .arg("--home")
                .arg(home(&self.folder))
                .arg("--json")
                .args(arguments),
        )
    }

    /// Makes the study of `plan` and calls the sites.
    ///
    /// # Errors
    /// When a command refuses.
    pub fn start_study(&self, plan: &StudyPlan) -> Result<()> {
        let file = self.folder.join("plan.json");
        fs::write(&file, plan.canonical_bytes())?;
        self.ask(&["study", "create", &file.display().to_string()])?;
        self.ask(&["study", "start", plan.study.as_str()]).map(drop)
    }

    /// Starts the server and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub fn serve(&self) -> Result<Server> {
        let log = self.folder.join("aggregator.log");
        let mut server = Server(
            Command::new(&self.aggregator)
                .arg("--home")
                .arg(home(&self.folder))
                .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(fs::File::create(&log)?)
                .spawn()
                .context("cannot start the aggregator")?,
        );
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if server.0.try_wait()?.is_some() || begun.elapsed() > START {
                bail!("the aggregator does not listen: {}", watched::last_words(&log));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    async fn enrol(&self, sites: u32) -> Result<()> {
        let home = home(&self.folder);
        let trusted = tls::read_trust(&fs::read_to_string(home.join("ca.pem"))?)?;
        let authority = trusted.certificates_pem.first().context("a consortium without a CA")?;
        let key = KeyPair::from_pem(&fs::read_to_string(home.join("ca.key.pem"))?)?;
        let issuer = Issuer::from_ca_cert_pem(authority, key)?;
        let registry = Registry::open(&home.join("registry.sqlite")).await?;
        for number in 0..sites {
            enter(&registry, &issuer, &site_folder(&self.folder, number), number).await?;
        }
        registry.close().await;
        fs::write(self.folder.join("authority.pem"), authority)?;
        fs::write(self.folder.join("address"), format!("https://localhost:{}", self.port))?;
        Ok(())
    }
}

impl Server {
    /// The program's process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Papers {
    /// Reads those of a site that [`Consortium::found`] enrolled in `folder`.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(folder: &Path, number: u32) -> Result<Self> {
        let own = site_folder(folder, number);
        let text = |path: PathBuf| fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()));
        Ok(Self {
            name: name_of(number)?,
            address: text(folder.join("address"))?,
            authority_pem: text(folder.join("authority.pem"))?,
            certificate_pem: text(own.join("certificate.pem"))?,
            tls_key_pem: text(own.join("tls.key.pem"))?,
            ledger_key: SigningKey::from_pem(&text(own.join("ledger.key.pem"))?)?,
            aggregator_key: text(home(folder).join("ledger.pub"))?.trim().to_owned(),
            folder: own,
        })
    }
}

/// The server's certificate with its key, and the CA: what the floor's probe speaks TLS with.
///
/// # Errors
/// When they cannot be read.
pub fn server_papers(folder: &Path) -> Result<(String, String)> {
    let server = fs::read_to_string(home(folder).join("server.pem"))?;
    Ok((server, fs::read_to_string(folder.join("authority.pem"))?))
}

fn home(folder: &Path) -> PathBuf {
    folder.join("aggregator")
}

fn site_folder(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("site-{number:04}"))
}

fn name_of(number: u32) -> Result<SiteName> {
    format!("site-{number:04}").parse().context("not the name of a site")
}

/// Invitation, request and approval of one site.
async fn enter(registry: &Registry, issuer: &Issuer<'_, KeyPair>, folder: &Path, number: u32) -> Result<()> {
    let (site, now) = (name_of(number)?, clock::now());
    let (request, ledger_key) = (tls::request_certificate(&site)?, SigningKey::generate()?);
    let (token, expires) = (snowball_crypto::random_token()?, now + 86_400);
    registry.invite(&site, &token, expires, now).await?;
    let enrolment = EnrolmentRequest {
        site: site.clone(),
        token,
        csr_pem: request.csr_pem.clone(),
        ledger_key: ledger_key.verifying_key().to_string(),
    };
    let redeemed = registry
        .redeem_invitation(&enrolment, request.key_fingerprint, now)
        .await?;
    let Redeemed::New(id) = redeemed else {
        bail!("{site} was enrolled before")
    };
    let certificate = issue(issuer, &site, &request.csr_pem, expires)?;
    registry.approve(&id, &certificate, "benchmark", now).await?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join("certificate.pem"), &certificate.pem)?;
    fs::write(folder.join("tls.key.pem"), &request.key_pem)?;
    fs::write(folder.join("ledger.key.pem"), ledger_key.to_pem().as_bytes())?;
    Ok(())
}

/// A site's certificate as `aggregator approve` signs it.
fn issue(issuer: &Issuer<'_, KeyPair>, site: &SiteName, csr_pem: &str, expires: i64) -> Result<Certificate> {
    let request = CertificateSigningRequestParams::from_pem(csr_pem)?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, site.as_str());
    let uri = format!("{}{site}", tls::SITE_URI_PREFIX);
    parameters.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    let mut serial: [u8; 16] = snowball_crypto::random_bytes()?;
    serial[0] = serial[0] & 0x3f | 0x40;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let after = |seconds: i64| -> Result<Duration> { Ok(Duration::from_secs(u64::try_from(seconds)?)) };
    parameters.not_before = epoch + after(expires - 2 * 86_400)?;
    parameters.not_after = epoch + after(expires)?;
    let signed = parameters.signed_by(&request.public_key, issuer)?;
    Ok(Certificate {
        serial: serial.iter().map(|byte| format!("{byte:02x}")).collect(),
        pem: signed.pem(),
        expires,
    })
}
