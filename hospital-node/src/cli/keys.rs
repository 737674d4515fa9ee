//! `keys`: the node's keys and secrets under a passphrase, or in the clear again.

use anyhow::Result;
use clap::Subcommand;
use snowball_service::keys::Kept;

use super::Context;
use crate::home::Home;

/// How the node's keys and secrets lie on its disk.
///
/// The passphrase comes from --passphrase-file, --passphrase-fd, the systemd credential snowball-passphrase or a terminal; never
/// from the command line or the environment. Stop a running node first: it knows the keys as they were when it started.
#[derive(Subcommand)]
pub enum Keys {
    /// Put them under a passphrase.
    ///
    /// Whoever loses it loses the store and the pseudonyms: keep a copy of it where the site keeps such things. A key that is made later,
    /// as at each renewal, is put under it as well.
    #[command(after_help = "Example: hospital-node keys protect --passphrase-file /root/words")]
    Protect,
    /// Put them in the clear again, readable by their owner alone.
    #[command(after_help = "Example: hospital-node keys unprotect")]
    Unprotect,
}

impl Keys {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let files = home.key_files();
        let changed = match self {
            Self::Protect => home.keys().protect(&files)?,
            Self::Unprotect => home.keys().unprotect(&files)?,
        };
        let wrapped = count(&home, Kept::Wrapped)?;
        let clear = count(&home, Kept::Clear)?;
        let document = serde_json::json!({"changed": changed, "protected": wrapped, "clear": clear});
        context.print(&document, || {
            format!("{changed} keys changed: {wrapped} are under a passphrase, {clear} in the clear")
        })
    }
}

fn count(home: &Home, kept: Kept) -> Result<usize> {
    let mut count = 0;
    for path in home.key_files() {
        count += usize::from(home.keys().kept(&path)? == kept);
    }
    Ok(count)
}
