//! The node's folder: what lies where, and how each piece is opened.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use snowball_crypto::{PseudonymKey, SigningKey, SiteSecret, VaultKeys, VaultSecret, VerifyingKey};
use snowball_egress::{Residuals, SharedLedger};
use snowball_imaging::{Intake, Limits};
use snowball_ledger::Ledger;
use snowball_protocol::{
    Sha256Digest, StudyName,
    limits::{CSR_BYTES_MAX, JSON_BYTES_MAX},
};
use snowball_service::{
    files,
    keys::{Kept, Keys, PassphraseSource},
};
use snowball_store::{Settings, Store};
use snowball_vault::{Vault, VaultError};
use zeroize::Zeroizing;

use crate::{cli::Refused, config::NodeConfig, second_reader};

/// A node's folder.
#[derive(Clone)]
pub struct Home {
    root: PathBuf,
    keys: Arc<Keys>,
}

/// Whom the node enrolled with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregator {
    /// `https://host:port`.
    pub address: String,
    /// SHA-256 of the consortium CA's certificate.
    pub ca_fingerprint: Sha256Digest,
    /// The key that signs receipts.
    pub aggregator_key: VerifyingKey,
    /// SHA-256 of the token of the invitation that was used.
    #[serde(default)]
    pub invitation: Option<Sha256Digest>,
}

impl Home {
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            keys: Arc::new(Keys::of_process(PassphraseSource::Found)),
        }
    }

    /// The same folder, whose keys are opened by the passphrase of `source`.
    pub fn with_passphrase(self, source: PassphraseSource) -> Self {
        Self {
            keys: Arc::new(Keys::of_process(source)),
            ..self
        }
    }

    /// The same folder, with the secrets that another process opened and handed over, each by its path, and no others.
    pub fn handed(self, secrets: BTreeMap<PathBuf, Zeroizing<String>>) -> Self {
        Self {
            keys: Arc::new(Keys::handed(secrets.into_iter().collect())),
            ..self
        }
    }

    /// The secrets by which files are [read](Self::reader), in the clear: for a process that is handed them.
    pub fn secrets_to_read(&self) -> Result<BTreeMap<PathBuf, Zeroizing<String>>> {
        let path = self.site_secret();
        let text = self.keys.read(&path)?;
        Ok(BTreeMap::from([(path, text)]))
    }

    /// The same for files that are [taken in](Self::intake). The vault is made here where there is none yet.
    pub fn secrets_to_take_in(&self, config: &NodeConfig) -> Result<BTreeMap<PathBuf, Zeroizing<String>>> {
        let mut secrets = self.secrets_to_read()?;
        if let (_, Some(_)) = self.intake(config)? {
            let path = self.vault_secret();
            let text = self.keys.read(&path)?;
            secrets.insert(path, text);
        }
        Ok(secrets)
    }

    /// What reads and writes the keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Every key and secret of the node that may be there.
    pub fn key_files(&self) -> [PathBuf; 6] {
        [
            self.site_secret(),
            self.vault_secret(),
            self.ledger_key_file(),
            self.tls_key(),
            self.next_tls_key(),
            self.enrolment_key(),
        ]
    }

    /// A folder that `init` made.
    pub fn existing(root: &Path) -> Result<Self> {
        let home = Self::at(root);
        if !home.config_file().exists() {
            bail!(
                "no node in {}; make one: hospital-node --home {0} init --site NAME",
                root.display()
            );
        }
        Ok(home)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn config_file(&self) -> PathBuf {
        self.root.join("node.toml")
    }

    pub fn tls_key(&self) -> PathBuf {
        self.root.join("keys/tls.pem")
    }

    pub fn ledger_key_file(&self) -> PathBuf {
        self.root.join("keys/ledger.pem")
    }

    pub fn ledger_public_key(&self) -> PathBuf {
        self.root.join("ledger.pub")
    }

    /// The key and certificate of a renewal that is under way.
    pub fn next_tls_key(&self) -> PathBuf {
        self.root.join("keys/tls.next.pem")
    }

    pub fn next_certificate(&self) -> PathBuf {
        self.root.join("certs/node.next.pem")
    }

    /// The key of an enrolment that is under way.
    pub fn enrolment_key(&self) -> PathBuf {
        self.root.join("keys/tls.enrolment.pem")
    }

    /// Locked by the process that renews.
    pub fn renewal_lock(&self) -> PathBuf {
        self.root.join("certs/renewal.lock")
    }

    pub fn site_secret(&self) -> PathBuf {
        self.root.join("keys/site.secret")
    }

    /// The linkage vault's own secret; absent where the site keeps no vault.
    pub fn vault_secret(&self) -> PathBuf {
        self.root.join("keys/vault.secret")
    }

    pub fn vault_folder(&self) -> PathBuf {
        self.root.join("vault")
    }

    /// What drivers of GPUs compile for the trainer; it may be emptied.
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    pub fn certificate(&self) -> PathBuf {
        self.root.join("certs/node.pem")
    }

    pub fn authority(&self) -> PathBuf {
        self.root.join("certs/ca.pem")
    }

    pub fn aggregator_file(&self) -> PathBuf {
        self.root.join("aggregator.json")
    }

    pub fn enrolment_file(&self) -> PathBuf {
        self.root.join("enrolment.json")
    }

    pub fn policy(&self) -> PathBuf {
        self.root.join("policy/policy.toml")
    }

    pub fn policy_signature(&self) -> PathBuf {
        self.root.join("policy/policy.toml.sig")
    }

    /// Every policy that was ever installed, each with its signature and the key that signed it.
    pub fn policy_history(&self) -> PathBuf {
        self.root.join("policy/history")
    }

    pub fn ethics_key(&self) -> PathBuf {
        self.root.join("policy/ethics.pub")
    }

    /// A study's plan as this node was shown it, by its digest: kept for auditors.
    pub fn plan(&self, digest: &Sha256Digest) -> PathBuf {
        let digits = digest.to_string();
        let digits = digits.trim_start_matches("sha256:");
        self.plans().join(format!("{digits}.json"))
    }

    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    pub fn store_folder(&self) -> PathBuf {
        self.root.join("store")
    }

    pub fn outbox(&self) -> PathBuf {
        self.root.join("outbox")
    }

    /// Where objects wait for their intake that come by one way in: `receive` or `fetch`.
    pub fn spool(&self, way: &str) -> PathBuf {
        self.root.join("spool").join(way)
    }

    /// What `deidentify` notes of all output folders.
    pub fn all_deidentified(&self) -> PathBuf {
        self.root.join("deidentified")
    }

    /// What `deidentify` notes of one output folder: its journal and the record of every decision.
    pub fn deidentified(&self, folder: &Sha256Digest) -> PathBuf {
        self.all_deidentified().join(folder.short())
    }

    /// Which folders `compare` wrote to.
    pub fn comparisons(&self) -> PathBuf {
        self.root.join("comparisons")
    }

    /// The links that sign people in to the dashboard.
    pub fn dashboard(&self) -> PathBuf {
        self.root.join("dashboard")
    }

    /// Plans that a person keeps this site out of, whatever the policy permits.
    pub fn all_withheld(&self) -> PathBuf {
        self.root.join("withheld")
    }

    /// There while a person keeps this site out of a plan.
    pub fn withheld(&self, digest: &Sha256Digest) -> PathBuf {
        let digits = digest.to_string();
        self.all_withheld().join(digits.trim_start_matches("sha256:"))
    }

    /// What the node is doing just now.
    pub fn now(&self) -> PathBuf {
        self.root.join("now")
    }

    /// What is kept for the board: the last self-test and the reviews.
    pub fn evidence(&self) -> PathBuf {
        self.root.join("evidence")
    }

    /// What the last `selftest` gave.
    pub fn last_selftest(&self) -> PathBuf {
        self.evidence().join("selftest.json")
    }

    /// The samples that were drawn for review, with what was found.
    pub fn reviews(&self) -> PathBuf {
        self.evidence().join("reviews")
    }

    /// The frozen datasets of all studies.
    pub fn datasets(&self) -> PathBuf {
        self.root.join("datasets")
    }

    /// The frozen dataset of a study.
    pub fn dataset(&self, study: &StudyName) -> PathBuf {
        self.datasets().join(study.as_str())
    }

    /// The frozen dataset of all radiographs, for what is asked of a study's model. No study's name holds a plus.
    pub fn whole_dataset(&self, study: &StudyName) -> PathBuf {
        self.datasets().join(format!("{study}+all"))
    }

    /// The models that are kept on site.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// A model of a study that is kept on site: `federated` or `local`.
    pub fn model(&self, study: &StudyName, kind: &str) -> PathBuf {
        self.models().join(format!("{study}-{kind}.f32"))
    }

    /// Where the model of a study that this site trained alone comes from.
    pub fn local_model_record(&self, study: &StudyName) -> PathBuf {
        self.models().join(format!("{study}-local.json"))
    }

    /// The plans of all studies that this node was shown.
    pub fn plans(&self) -> PathBuf {
        self.root.join("plans")
    }

    /// What this site keeps of the networks of all studies for itself.
    pub fn kept_parameters(&self) -> PathBuf {
        self.root.join("kept")
    }

    /// What it keeps of a study's network.
    pub fn kept_parameters_of(&self, study: &StudyName) -> PathBuf {
        self.kept_parameters().join(study.as_str())
    }

    /// What `node.toml` says. A wrong one is a refusal: started again by itself, the node would find the same.
    pub fn config(&self) -> Result<NodeConfig> {
        NodeConfig::read(&self.config_file()).map_err(|fault| Refused(format!("{fault:#}")).into())
    }

    pub fn aggregator(&self) -> Result<Aggregator> {
        let path = self.aggregator_file();
        if !path.exists() {
            bail!(
                "this node is not enrolled; ask the coordinator for an invitation, then: hospital-node enroll INVITATION"
            );
        }
        let text =
            files::read_bounded(&path, JSON_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} does not parse; enrol again", path.display()))
    }

    /// The key under which this site's identifiers become pseudonyms.
    pub fn pseudonym_key(&self, project: &str) -> Result<PseudonymKey> {
        Ok(self.secret()?.project(project))
    }

    /// The site's secret, from which the keys of pseudonyms and store come.
    fn secret(&self) -> Result<SiteSecret> {
        let path = self.site_secret();
        let text = self.keys.read(&path)?;
        SiteSecret::from_hex(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    pub fn ledger_key(&self) -> Result<SigningKey> {
        let path = self.ledger_key_file();
        SigningKey::from_pem(&self.keys.read(&path)?).with_context(|| format!("{} is no key", path.display()))
    }

    /// Where what updates left over lies, sealed, for the next ones.
    pub fn residuals(&self) -> PathBuf {
        self.root.join("residuals")
    }

    /// What updates left over.
    pub fn open_residuals(&self, config: &NodeConfig) -> Result<Residuals> {
        let key = self.secret()?.residuals(&config.project);
        Ok(Residuals::open(&self.residuals(), key)?)
    }

    /// Opens the ledger for writing. The service and the command line share it, append by append.
    pub fn open_ledger(&self, config: &NodeConfig) -> Result<SharedLedger> {
        let ledger = Ledger::open_shared(&self.ledger(), config.site.as_str(), self.ledger_key()?)
            .context("cannot open the ledger")?
            .with_archives_of(config.ledger.archive_bytes());
        Ok(Arc::new(Mutex::new(ledger)))
    }

    pub fn open_store(&self, config: &NodeConfig) -> Result<Store> {
        let settings = Settings {
            master_side_max: config.store.master_side_max,
        };
        let keys = self.secret()?.store(&config.project);
        Store::open_with(&self.store_folder(), keys, settings).context("cannot open the store")
    }

    /// The vault, where the site has one; a destroyed one is an error that says so.
    pub fn vault(&self, config: &NodeConfig) -> Result<Option<Vault>> {
        if !self.has_vault_secret()? && !snowball_vault::is_destroyed(&self.vault_folder()) {
            return Ok(None);
        }
        // Asked before the secret, which a destroyed vault no longer has.
        if snowball_vault::is_destroyed(&self.vault_folder()) {
            return Err(VaultError::Destroyed.into());
        }
        let vault = Vault::open(&self.vault_folder(), self.vault_keys(config)?);
        Ok(Some(vault.context("cannot open the linkage vault")?))
    }

    /// What reads files by this node's key and words, and links nothing.
    pub fn reader(&self, config: &NodeConfig) -> Result<Intake> {
        let key = self.pseudonym_key(&config.project)?;
        let intake = Intake::new(key, config.intake.dictionary()?, Limits::default());
        Ok(match second_reader::wished(&config.text)? {
            Some(reader) => intake.read_again_by(reader),
            None => intake,
        })
    }

    /// What takes files in; and the vault that it feeds, made at the first use, where
    /// `node.toml` asks for one.
    pub fn intake(&self, config: &NodeConfig) -> Result<(Intake, Option<Vault>)> {
        let intake = self.reader(config)?;
        if !config.intake.linkage {
            return Ok((intake, None));
        }
        if !self.has_vault_secret()? && !snowball_vault::is_destroyed(&self.vault_folder()) {
            // After a restore without it, a new key would lock the old links out.
            if self.vault_folder().join(snowball_vault::DATABASE_FILE).exists() {
                bail!(
                    "the linkage vault is there and its key is not; put keys/vault.secret back from where you keep it, or move {} away to \
                     begin a new vault",
                    self.vault_folder().display()
                );
            }
            let secret = VaultSecret::generate().context("no randomness for the vault's secret")?;
            self.keys.write(&self.vault_secret(), &secret.to_hex())?;
        }
        let vault = self.vault(config)?.context("the vault has no secret")?;
        Ok((intake.linking(self.vault_keys(config)?), Some(vault)))
    }

    fn has_vault_secret(&self) -> Result<bool> {
        Ok(self.keys.kept(&self.vault_secret())? != Kept::Missing)
    }

    fn vault_keys(&self, config: &NodeConfig) -> Result<VaultKeys> {
        let path = self.vault_secret();
        let text = self.keys.read(&path)?;
        let secret = VaultSecret::from_hex(&text).with_context(|| format!("{} is damaged", path.display()))?;
        Ok(secret.vault(&config.project))
    }

    pub fn read_text(&self, path: &Path) -> Result<String> {
        let bytes =
            files::read_bounded(path, CSR_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
        String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))
    }
}
