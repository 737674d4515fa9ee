//! `doctor --explain`: one page for the firewall team, from this node's configuration, that fits a mail.

use snowball_egress::client::way::ProxyAddress;
use snowball_layout::Layout;
use snowball_protocol::limits::{CLOCK_SKEW_SECONDS_MAX, HEARTBEAT_SECONDS};
use snowball_service::letter::{Letter, Section};

use super::{memory, way::Way};
use crate::{
    config::{
        NodeConfig,
        pacs::{ReceiveConfig, RetrieveConfig},
    },
    home::Home,
    policy,
};

/// Where it is not known yet.
const UNKNOWN: &str =
    "the aggregator's host and port (not known yet: run this again with --invitation, or after the enrolment)";

/// The page.
pub fn page(home: &Home, config: &NodeConfig, way: Option<&Way>) -> Letter {
    let target = way.map_or_else(|| UNKNOWN.to_owned(), |way| way.host.to_string());
    Letter {
        title: format!("Network connections of the Snowball node of site {}", config.site),
        sections: vec![
            Section::of("What we ask for", asked(config, &target)),
            Section::of("Protocol", protocol()),
            Section::of("Please do not inspect this connection", inspection(&target)),
            Section::of("Names and time", names_and_time(config, way)),
            Section::of("How much and how often", traffic(home, config)),
            Section::of("Inside the hospital", inside(config)),
            Section::of(
                "How to check",
                vec![
                    "On this host, hospital-node doctor tries each step by itself (name, proxy or port, TLS, certificate, clock) and says \
                     which one fails, with a number: N201 to N206."
                        .to_owned(),
                ],
            ),
        ],
    }
}

/// The proxy without whoever it lets in.
fn proxy(config: &NodeConfig) -> Option<String> {
    let proxy = config.network.proxy.as_deref()?;
    Some(match ProxyAddress::parse(proxy) {
        Ok(proxy) => proxy.host.to_string(),
        Err(_) => "the proxy of node.toml, which is not written as http://host:port".to_owned(),
    })
}

fn asked(config: &NodeConfig, target: &str) -> Vec<String> {
    let out = match proxy(config) {
        Some(proxy) => format!(
            "Outgoing: from this host to the proxy {proxy} (TCP), which opens a tunnel (HTTP CONNECT) to {target}. Nothing else, and no \
             way around the proxy."
        ),
        None => format!(
            "Outgoing: TCP from this host to {target}. Nothing else. No proxy is configured; the environment's proxy variables are never \
             used."
        ),
    };
    let mut asked = vec![out, incoming(config)];
    if let Some(metrics) = &config.metrics {
        asked.push(format!(
            "Besides, the node shows numbers for a monitoring system at {} (plain HTTP, no patient's data); {}.",
            metrics.listen,
            metrics.reach()
        ));
    }
    asked
}

/// Ports of this host alone are no matter of a firewall; the paragraph on the metrics tells of theirs.
fn incoming(config: &NodeConfig) -> String {
    let mut ports = Vec::new();
    if let Some(receive) = &config.receive {
        ports.push(format!(
            "TCP port {} on this host, for the archive and the modalities alone (see below)",
            receive.listen.port()
        ));
    }
    if let Some(metrics) = config
        .metrics
        .as_ref()
        .filter(|metrics| !metrics.listen.ip().is_loopback())
    {
        ports.push(format!(
            "TCP port {} on this host, for the monitoring system alone",
            metrics.listen.port()
        ));
    }
    if !ports.is_empty() {
        return format!(
            "Incoming: nothing from outside the hospital. From inside, {}.",
            ports.join("; and ")
        );
    }
    match &config.metrics {
        Some(_) => "Incoming: nothing. The node opens no port to other hosts.".to_owned(),
        None => "Incoming: nothing. The node opens no port.".to_owned(),
    }
}

fn protocol() -> Vec<String> {
    vec![
        "TLS 1.3 and no earlier version, with certificates on both sides (mutual TLS), HTTP/2 inside (ALPN h2, else http/1.1). One \
         connection is kept open for hours and reused; please let idle connections live for two minutes at least."
            .to_owned(),
        "The server's certificate is by the consortium's own CA, not by a public one. Its reputation or category is unknown to filters."
            .to_owned(),
    ]
}

fn inspection(target: &str) -> Vec<String> {
    vec![
        format!(
            "Please exempt {target} from TLS inspection. The node proves which hospital it is by a key that never leaves it, and it takes \
             certificates of the consortium's CA alone. A device that opens the connection has neither: the node then refuses to send \
             anything, by design."
        ),
        "What goes over it: study plans, network parameters and statistics that the hospital's signed policy names. No picture, header or \
         identifier of a patient. Each thing that leaves is in the node's own ledger before its first byte, which the hospital can check \
         (hospital-node ledger show)."
            .to_owned(),
    ]
}

fn names_and_time(config: &NodeConfig, way: Option<&Way>) -> Vec<String> {
    let name = way.map_or("the aggregator's name", |way| way.host.name.as_str());
    let dns = match proxy(config) {
        Some(proxy) => {
            let host = proxy.rsplit_once(':').map_or(proxy.as_str(), |(name, _)| name);
            format!("DNS: this host looks up {host}; the proxy looks up {name}.")
        }
        None => format!("DNS: this host looks up {name} by the hospital's name servers."),
    };
    vec![
        dns,
        format!(
            "Time: this host needs the hospital's time service (NTP). Beyond {CLOCK_SKEW_SECONDS_MAX} seconds of difference certificates \
             and signed times are refused."
        ),
    ]
}

fn traffic(home: &Home, config: &NodeConfig) -> Vec<String> {
    let mut said = vec![format!(
        "At rest: a small question over the open connection (some hundred bytes each way, more where many studies are listed), twice a \
         second without a study and every three seconds with one, and a heartbeat every {HEARTBEAT_SECONDS} seconds: by estimate 100 to \
         200 MB a day."
    )];
    let plans = memory::plans(home);
    for plan in &plans {
        said.push(format!(
            "Study {}: in each of its {} rounds a model comes down and, after training, an update goes up: {} each, or less where the plan \
             packs updates.",
            plan.study,
            plan.rounds.count,
            megabytes(Layout::of(plan).bytes())
        ));
    }
    if plans.is_empty() {
        said.push(
            "In a study: each round (minutes to hours apart) a model comes down and an update goes up, from 0.4 MB for the smallest \
             network to 100 MB and more for large ones. Transfers go in pieces and resume."
                .to_owned(),
        );
    }
    if let Ok(signed) = policy::in_force(home) {
        said.push(format!(
            "At most, by the hospital's policy in force: {} a round and {} a day go out.",
            megabytes(signed.policy.bytes_per_round_max()),
            megabytes(signed.policy.bytes_per_day_max())
        ));
    }
    said.push(if config.network.bandwidth.is_empty() {
        "No bound on the speed is configured; hours with a bound can be named under [network] in node.toml.".to_owned()
    } else {
        let limits: Vec<String> = config
            .network
            .bandwidth
            .iter()
            .map(|limit| format!("{} bytes a second {}", limit.bytes_per_second_max, limit.hours))
            .collect();
        let zone = config
            .network
            .time_zone
            .as_ref()
            .map_or_else(String::new, |zone| format!(" ({zone})"));
        format!("Speed each way at most: {}{zone}.", limits.join(", "))
    });
    said
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn inside(config: &NodeConfig) -> Vec<String> {
    let mut said = Vec::new();
    said.extend(config.receive.as_ref().map(receiving));
    said.extend(config.retrieve.as_ref().map(retrieving));
    if config.dicomweb.credentials.is_some() || config.dicomweb.tls.is_some() {
        said.push("DICOMweb: outgoing to the archive's HTTPS port, directly, never through the proxy.".to_owned());
    }
    if said.is_empty() {
        said.push("No connection to the archive is configured; radiographs come from a folder.".to_owned());
    }
    said
}

fn receiving(receive: &ReceiveConfig) -> String {
    let titles = |titles: &std::collections::BTreeSet<snowball_pacs::AeTitle>| {
        titles.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let how = match &receive.tls {
        None => "in the clear: keep it on a protected network",
        Some(files) if files.peers.is_none() => "TLS",
        Some(_) => "TLS with certificates on both sides",
    };
    format!(
        "DICOM C-STORE and C-ECHO come in at {} ({how}), to the AE titles {}, from {} alone. Please let their hosts, and no others, reach \
         the port.",
        receive.listen,
        titles(&receive.called),
        titles(&receive.calling)
    )
}

fn retrieving(retrieve: &RetrieveConfig) -> String {
    format!(
        "DICOM queries go out to the archive {} (AE title {}{}).",
        retrieve.archive,
        retrieve.archive_title,
        if retrieve.tls.is_some() { ", TLS" } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(more: &str, address: Option<&str>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        std::fs::write(home.config_file(), format!("site = \"north\"\n{more}")).unwrap();
        let way = address.map(Way::for_tests);
        page(&home, &home.config().unwrap(), way.as_ref()).text()
    }

    /// The lines as one, since they are broken anywhere.
    fn flat(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn it_names_host_port_and_direction_and_opens_nothing() {
        let said = flat(&told("", Some("https://snowball.example.org:7443")));
        assert!(
            said.contains("TCP from this host to snowball.example.org:7443. Nothing else."),
            "{said}"
        );
        assert!(said.contains("Incoming: nothing. The node opens no port."));
        assert!(said.contains("exempt snowball.example.org:7443 from TLS inspection"));
        assert!(said.contains("TLS 1.3") && said.contains("NTP") && said.contains("looks up snowball.example.org by"));
        assert!(flat(&told("", None)).contains("not known yet"));
    }

    #[test]
    fn the_proxy_stands_without_its_password_and_the_archives_port_with_its_titles() {
        let said = flat(&told(
            "[network]\nproxy = \"http://north:secret@proxy.hospital.example:3128\"\n[receive]\nlisten = \"0.0.0.0:11112\"\ncalled = \
             [\"SNOWBALL\"]\ncalling = [\"PACS\"]\n[metrics]\nlisten = \"127.0.0.1:9464\"\n",
            Some("https://snowball.example.org:7443"),
        ));
        assert!(
            said.contains("to the proxy proxy.hospital.example:3128 (TCP), which opens a tunnel"),
            "{said}"
        );
        assert!(said.contains("this host looks up proxy.hospital.example; the proxy looks up snowball.example.org"));
        assert!(!said.contains("secret"), "{said}");
        assert!(said.contains("TCP port 11112 on this host") && said.contains("AE titles SNOWBALL, from PACS alone"));
        assert!(said.contains("127.0.0.1:9464") && said.contains("this host alone reaches it"));
    }

    #[test]
    fn a_port_for_metrics_is_told_of_where_others_reach_it() {
        let said = |listen: &str| flat(&told(&format!("[metrics]\nlisten = \"{listen}\"\n"), None));
        let here = said("127.0.0.1:9464");
        assert!(
            here.contains("Incoming: nothing. The node opens no port to other hosts."),
            "{here}"
        );
        let open = said("0.0.0.0:9464");
        assert!(
            open.contains("From inside, TCP port 9464 on this host, for the monitoring system alone."),
            "{open}"
        );
        assert!(!open.contains("opens no port"), "{open}");
    }

    #[test]
    fn it_fits_a_page_of_a_mail() {
        let text = told("", Some("https://snowball.example.org:7443"));
        assert!(
            text.lines().count() < 80 && text.lines().all(|line| line.chars().count() <= 72),
            "{text}"
        );
    }
}
