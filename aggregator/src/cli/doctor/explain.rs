//! `doctor --explain`: one page for the firewall team, from this aggregator's configuration, that fits a mail.

use snowball_protocol::limits::{CLOCK_SKEW_SECONDS_MAX, IDLE_SECONDS_MAX, JSON_BYTES_MAX, UPLOAD_CHUNK_BYTES_MAX};
use snowball_service::letter::{Letter, Section};

use crate::config::Config;

/// The page.
pub fn page(config: &Config) -> Letter {
    Letter {
        title: format!("Network connections of the Snowball aggregator of {}", config.consortium),
        sections: vec![
            Section::of("What we ask for", asked(config)),
            Section::of("What is served", served(config)),
            Section::of("Please pass the connections through unopened", unopened(config)),
            Section::of("Names and time", names_and_time(config)),
            Section::of("How much and how often", traffic(config)),
            Section::of(
                "How to check",
                vec![
                    "On this host, aggregator doctor tries name, port and certificate, with a number for each: A201 to A203. At a hospital, \
                     hospital-node doctor tries the whole way (N201 to N206)."
                        .to_owned(),
                ],
            ),
        ],
    }
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(_, port)| port)
}

fn asked(config: &Config) -> Vec<String> {
    let mut asked = vec![
        format!(
            "Incoming: TCP from the hospitals to {}, which must lead to {} on this host (port {}). Hospitals come from their own \
             networks, often through a proxy; where their addresses are known and fixed, they may be listed.",
            config.address,
            config.listen,
            port(&config.listen)
        ),
        "Outgoing: nothing. The aggregator opens no connection, neither to the hospitals nor to anybody else."
            .to_owned(),
    ];
    if let Some(metrics) = &config.metrics {
        asked.push(format!(
            "Besides, numbers for a monitoring system at {} (plain HTTP, no password); {}.",
            metrics.listen,
            metrics.reach()
        ));
    }
    asked
}

fn served(config: &Config) -> Vec<String> {
    vec![
        format!(
            "One HTTPS interface for programs (paths below /v1), TLS 1.3 alone, HTTP/2 or HTTP/1.1. At most {} connections at once, a \
             handshake has 10 seconds, a connection on which nothing moves ends after {IDLE_SECONDS_MAX} seconds.",
            config.connections_max
        ),
        "Without a certificate of the consortium's CA only enrolment, which needs an invitation, and the clock are open; enrolment is \
         held to 60 requests a minute of one address. No web page, no login, no file of patients: radiographs never leave the hospitals."
            .to_owned(),
    ]
}

fn unopened(config: &Config) -> Vec<String> {
    vec![format!(
        "TLS must end at this program: hospitals show their certificates in the handshake and take the consortium's own CA alone. A \
         reverse proxy, balancer or web application firewall in front of {} must pass TCP through and may not inspect it.",
        config.address
    )]
}

fn names_and_time(config: &Config) -> Vec<String> {
    vec![
        format!(
            "DNS: hospitals look up the name in {}. The server's certificate is for {}.",
            config.address,
            config.names.join(", ")
        ),
        format!(
            "Time: this host needs a time service (NTP). Hospitals refuse more than {CLOCK_SKEW_SECONDS_MAX} seconds of difference."
        ),
    ]
}

fn traffic(config: &Config) -> Vec<String> {
    vec![
        format!(
            "Each hospital keeps one connection (8 at most) and asks every few seconds; documents are below {} KB.",
            JSON_BYTES_MAX / 1024
        ),
        format!(
            "In a round each hospital fetches a model and sends an update, from 0.4 MB to 100 MB and more by the study's network, in pieces \
             of at most {} MB that resume. {} connections are the bound of this machine (connections_max).",
            UPLOAD_CHUNK_BYTES_MAX >> 20,
            config.connections_max
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_port_that_comes_in_and_that_nothing_goes_out() {
        let mut config = Config::new("Spines", "snow.example.org:443", &[]).unwrap();
        config.listen = "10.0.0.5:7443".to_owned();
        let text = page(&config).text();
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            flat.contains(
                "hospitals to snow.example.org:443, which must lead to 10.0.0.5:7443 on this host (port 7443)"
            ),
            "{flat}"
        );
        assert!(
            flat.contains("Outgoing: nothing.") && flat.contains("TLS 1.3 alone") && flat.contains("pass TCP through")
        );
        assert!(
            text.lines().count() < 80 && text.lines().all(|line| line.chars().count() <= 72),
            "{text}"
        );
    }
}
