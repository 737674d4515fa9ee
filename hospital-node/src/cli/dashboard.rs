//! `dashboard`: pages about this node, for the people of the hospital, on this machine.

use std::{io::IsTerminal as _, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use snowball_dashboard::{Dashboard as Server, Role, Settings, Tickets};
use snowball_service::{output, shutdown};

use super::Context;
use crate::{
    config::NodeConfig,
    dashboard::{self, Desk},
    home::Home,
};

/// Where it is given out unless somebody says otherwise: on this machine alone.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7481);

/// Give out pages about this node to browsers of this machine. On a terminal it prints a link that signs in once; elsewhere, such as in
/// a journal that others read, it prints none: dashboard link makes one. Works beside run and without it. Ends on SIGTERM or Ctrl-C.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hospital-node dashboard\n  hospital-node dashboard link --role operator --name Curie",
    args_conflicts_with_subcommands = true
)]
pub struct Dashboard {
    /// Where; absent: as node.toml says, or 127.0.0.1:7481. Another address than loopback needs a certificate in node.toml.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    who: Who,
    #[command(subcommand)]
    link: Option<Sub>,
}

#[derive(Subcommand)]
enum Sub {
    Link(Link),
}

/// Make another link for the dashboard that is given out. It holds for ten minutes and once.
#[derive(Args)]
#[command(after_help = "Example: hospital-node dashboard link --role reader --name Curie")]
struct Link {
    /// The address that dashboard was given with --listen, where it was.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    who: Who,
}

/// For whom a link is.
#[derive(Args)]
struct Who {
    /// What whoever signs in by the link may do: a link that lets somebody decide is asked for by name.
    #[arg(long, value_enum, default_value_t)]
    role: Wish,
    /// Who it is for; it stands in the ledger beside what they do.
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Wish {
    /// Looks and decides.
    Operator,
    /// Looks and changes nothing.
    #[default]
    Reader,
}

impl Dashboard {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        match self.link {
            Some(Sub::Link(link)) => tell(context, &home, &settings(&config, link.listen), &config, &link.who),
            None => {
                let settings = settings(&config, self.listen);
                settings.check()?;
                let desk = Arc::new(Desk::open(&home)?);
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()?;
                runtime.block_on(async {
                    let stop = shutdown::requested();
                    let server = Server::open(dashboard::about(config.site.as_str()), &home.dashboard(), &settings)?;
                    let listener = settings.open().await?;
                    if std::io::stdout().is_terminal() {
                        tell(context, &home, &settings, &config, &self.who)?;
                    } else {
                        tell_no_link(context, &settings)?;
                    }
                    server.serve(listener, dashboard::pages(desk), stop).await;
                    anyhow::Ok(())
                })
            }
        }
    }
}

fn settings(config: &NodeConfig, listen: Option<SocketAddr>) -> Settings {
    let settings = config.dashboard.clone().unwrap_or_else(|| Settings::local(LISTEN));
    match listen {
        Some(listen) => Settings { listen, ..settings },
        None => settings,
    }
}

/// Says where the pages are and how a link is made: what is printed here may be kept where others read it.
fn tell_no_link(context: &Context, settings: &Settings) -> Result<()> {
    let address = settings.address();
    if context.json {
        output::line(serde_json::json!({"address": address}))?;
    } else {
        output::line(format_args!(
            "{address}\nhospital-node dashboard link --role reader (or operator) makes a link that signs in once"
        ))?;
    }
    Ok(())
}

/// Makes a link and prints it.
fn tell(context: &Context, home: &Home, settings: &Settings, config: &NodeConfig, who: &Who) -> Result<()> {
    let about = dashboard::about(config.site.as_str());
    let (role, word) = match who.role {
        Wish::Operator => (Role::Acts, about.acts.word),
        Wish::Reader => (Role::Reads, about.reads.word),
    };
    let tickets = Tickets::of(&home.dashboard());
    let ticket = tickets
        .make(&about, role, who.name.as_deref(), snowball_service::clock::now())
        .context("cannot make a link")?;
    let link = ticket.link(&settings.address());
    if context.json {
        let document = serde_json::json!({"address": settings.address(), "link": link, "role": word});
        output::line(document)?;
    } else {
        output::line(format_args!(
            "{link}\nopen it in a browser of this machine within {} minutes; it signs in once, as {word}",
            snowball_dashboard::TICKET_MINUTES
        ))?;
    }
    Ok(())
}
