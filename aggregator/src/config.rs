//! `aggregator.toml`: what a coordinator may set. Unknown fields are an error, so that a typing mistake never goes unseen.

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use snowball_service::{metrics, telemetry};

/// Settings of one aggregator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The consortium's name for people; it stands in the CA's certificate.
    pub consortium: String,
    /// `host:port` under which sites reach this aggregator.
    pub address: String,
    /// `address:port` that `serve` binds.
    pub listen: String,
    /// DNS names and IP addresses in the server's certificate.
    pub names: Vec<String>,
    /// How long a site's certificate holds, in days.
    #[serde(default = "site_certificate_days")]
    pub site_certificate_days: u32,
    /// How long the server's own certificate holds, in days.
    #[serde(default = "server_certificate_days")]
    pub server_certificate_days: u32,
    /// Connections held at once; further ones are closed at once.
    #[serde(default = "connections_max")]
    pub connections_max: u32,
    /// The ledger's open file becomes an archive when it has grown to this, in megabytes of 1,048,576 bytes.
    #[serde(default = "ledger_archive_megabytes")]
    pub ledger_archive_megabytes: u32,
    /// What the updates of a round may take in memory together when the round ends, in megabytes of 1,048,576 bytes; they are read a
    /// stretch at a time.
    #[serde(default = "aggregation_megabytes")]
    pub aggregation_megabytes: u32,
    /// Below so many free megabytes of 1,048,576 bytes, `doctor` says that the disk is full.
    #[serde(default = "disk_free_megabytes_min")]
    pub disk_free_megabytes_min: u32,
    /// What `serve` logs, as levels; absent: `info`. Read again at SIGHUP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Where numbers for a monitoring system are given out; absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<metrics::Settings>,
    /// Where the dashboard is given out; absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard: Option<snowball_dashboard::Settings>,
}

/// The part of the file that is off at first.
const SAMPLE: &str = "
# What is logged: error, warn, info, debug, trace or off, also for one part, as in info,aggregator::api=debug. After a change: kill -HUP.
# log = \"info\"

# Numbers for Prometheus, by plain HTTP and without a password; absent: none. Whoever reaches the address reads names of sites and
# studies, and counts.
# [metrics]
# listen = \"127.0.0.1:9464\"

# The dashboard, in a browser: `aggregator dashboard link --role coordinator` (or auditor) signs in; absent: none. An address for others
# than this machine needs a certificate and its key; without one, reach it through SSH: ssh -L 7480:127.0.0.1:7480 HOST.
# [dashboard]
# listen = \"127.0.0.1:7480\"
# names = [\"dashboard.example.org\"]
# certificate = \"/etc/snowball/dashboard.pem\"
# key = \"/etc/snowball/dashboard.key.pem\"
";

const fn aggregation_megabytes() -> u32 {
    32
}

const fn ledger_archive_megabytes() -> u32 {
    64
}

const fn disk_free_megabytes_min() -> u32 {
    2048
}

const fn site_certificate_days() -> u32 {
    30
}

const fn server_certificate_days() -> u32 {
    90
}

const fn connections_max() -> u32 {
    2048
}

impl Config {
    /// The settings of a new aggregator.
    pub fn new(consortium: &str, address: &str, more_names: &[String]) -> Result<Self> {
        let (host, port) = split_address(address)?;
        let mut names = vec![host];
        for name in more_names {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let config = Self {
            consortium: consortium.to_owned(),
            address: address.to_owned(),
            listen: format!("0.0.0.0:{port}"),
            names,
            site_certificate_days: site_certificate_days(),
            server_certificate_days: server_certificate_days(),
            connections_max: connections_max(),
            ledger_archive_megabytes: ledger_archive_megabytes(),
            aggregation_megabytes: aggregation_megabytes(),
            disk_free_megabytes_min: disk_free_megabytes_min(),
            log: None,
            metrics: None,
            dashboard: None,
        };
        config.check()?;
        Ok(config)
    }

    /// Reads `aggregator.toml`.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// The same in bytes.
    pub fn ledger_archive_bytes(&self) -> u64 {
        u64::from(self.ledger_archive_megabytes) * 1024 * 1024
    }

    /// The same in bytes.
    pub fn disk_free_bytes_min(&self) -> u64 {
        u64::from(self.disk_free_megabytes_min) * 1024 * 1024
    }

    /// The same in bytes.
    pub const fn aggregation_bytes(&self) -> usize {
        self.aggregation_megabytes as usize * 1024 * 1024
    }

    fn check(&self) -> Result<()> {
        split_address(&self.address)?;
        if let Some(dashboard) = &self.dashboard {
            dashboard.check()?;
        }
        ensure!(
            (1..=100).contains(&self.consortium.chars().count()),
            "consortium must have 1 to 100 characters"
        );
        ensure!((1..=64).contains(&self.names.len()), "names must be 1 to 64");
        ensure!(
            (1..=366).contains(&self.site_certificate_days),
            "site_certificate_days must be from 1 to 366"
        );
        ensure!(
            (1..=397).contains(&self.server_certificate_days),
            "server_certificate_days must be from 1 to 397"
        );
        ensure!(
            (1..=65_536).contains(&self.connections_max),
            "connections_max must be from 1 to 65536"
        );
        ensure!(
            (1..=4096).contains(&self.ledger_archive_megabytes),
            "ledger_archive_megabytes must be from 1 to 4096"
        );
        ensure!(
            (1..=65_536).contains(&self.aggregation_megabytes),
            "aggregation_megabytes must be from 1 to 65536"
        );
        if let Some(levels) = &self.log {
            telemetry::check(levels).context("log")?;
        }
        Ok(())
    }

    /// The file's content.
    pub fn to_toml(&self) -> Result<String> {
        let body = toml::to_string(self)?;
        Ok(format!(
            "# Settings of this aggregator; read when `aggregator serve` starts.\n{body}{SAMPLE}"
        ))
    }
}

/// Host (without brackets) and port of `host:port` or `[v6]:port`.
pub fn split_address(address: &str) -> Result<(String, u16)> {
    let wrong =
        || anyhow::anyhow!("an address is written host:port, such as snowball.example.org:7443; got {address:?}");
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let host = host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(host);
    ensure!(!host.is_empty() && !host.contains(['/', ' ', '@']), wrong());
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_configuration_reads_back_the_same() {
        let config = Config::new("Spines", "snow.example.org:7443", &["10.0.0.1".to_owned()]).unwrap();
        assert_eq!(config.names, ["snow.example.org", "10.0.0.1"]);
        assert_eq!(Config::parse(&config.to_toml().unwrap()).unwrap(), config);
    }

    #[test]
    fn a_misspelt_setting_and_a_wild_value_are_refused() {
        let toml = Config::new("Spines", "localhost:7443", &[]).unwrap().to_toml().unwrap();
        assert!(Config::parse(&format!("conections_max = 4\n{toml}")).is_err());
        assert!(Config::parse(&toml.replace("site_certificate_days = 30", "site_certificate_days = 0")).is_err());
    }

    #[test]
    fn the_sample_of_metrics_is_a_real_setting_and_off() {
        let toml = Config::new("Spines", "localhost:7443", &[]).unwrap().to_toml().unwrap();
        assert_eq!(Config::parse(&toml).unwrap().metrics, None);
        let on = toml
            .replace("# [metrics]", "[metrics]")
            .replacen("# listen", "listen", 1);
        let config = Config::parse(&on).unwrap();
        assert!(config.metrics.unwrap().listen.ip().is_loopback());
        assert_eq!(Config::parse(&config.to_toml().unwrap()).unwrap(), config);
        assert!(Config::parse(&on.replace("127.0.0.1:9464", "9464")).is_err());
    }

    #[test]
    fn the_sample_of_log_is_a_real_setting_and_a_word_that_is_no_level_is_refused() {
        let toml = Config::new("Spines", "localhost:7443", &[]).unwrap().to_toml().unwrap();
        assert_eq!(Config::parse(&toml).unwrap().log, None);
        let on = toml.replace("# log", "log");
        assert_eq!(Config::parse(&on).unwrap().log.unwrap(), "info");
        let fault = Config::parse(&on.replace("\"info\"", "\"debgu\"")).unwrap_err();
        assert!(
            format!("{fault:#}").starts_with("log: \"debgu\" is no level"),
            "{fault:#}"
        );
    }

    #[test]
    fn the_samples_of_the_dashboard_are_real_settings_and_off() {
        let toml = Config::new("Spines", "localhost:7443", &[]).unwrap().to_toml().unwrap();
        assert_eq!(Config::parse(&toml).unwrap().dashboard, None);
        let (before, sample) = toml.split_once("# [dashboard]").unwrap();
        let on = format!("{before}[dashboard]{}", sample.replace("\n# ", "\n"));
        let config = Config::parse(&on).unwrap();
        assert_eq!(Config::parse(&config.to_toml().unwrap()).unwrap(), config);
        let settings = config.dashboard.unwrap();
        assert!(settings.listen.ip().is_loopback() && settings.has_tls());
        let manual = include_str!("../docs/operating.md");
        let blocks = manual.split("```toml\n[dashboard]\n").skip(1);
        let blocks: Vec<&str> = blocks.map(|rest| rest.split_once("```").unwrap().0).collect();
        assert_eq!(blocks.len(), 3);
        for block in blocks {
            let config = Config::parse(&format!("{toml}\n[dashboard]\n{block}")).unwrap();
            assert!(config.dashboard.is_some());
        }
        let open = format!("{toml}\n[dashboard]\nlisten = \"10.1.2.3:7480\"\n");
        let refused = Config::parse(&open).unwrap_err().to_string();
        assert!(refused.contains("without TLS"), "{refused}");
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(split_address("[::1]:80").unwrap(), ("::1".to_owned(), 80));
        for wrong in ["", "host", "host:", ":80", "https://a:80", "a:99999"] {
            assert!(split_address(wrong).is_err(), "{wrong}");
        }
    }
}
