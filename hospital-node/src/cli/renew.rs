//! `renew`: the next certificate now, and not when two thirds of the present one are over.

use anyhow::Result;
use clap::Args;
use snowball_service::clock;

use super::Context;
use crate::{driver, renewal};

/// Renew this node's certificate now, with a new key. A running node renews by itself after two thirds of the certificate's
/// life; this is for a key that may have been seen.
#[derive(Args)]
#[command(after_help = "Example: hospital-node renew")]
pub struct Renew {}

impl Renew {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let door = driver::open_door(&home, &home.config()?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let renewed = runtime.block_on(renewal::renew(&home, &door))?;
        let days = (renewed.not_after - clock::now()) / 86_400;
        let document = serde_json::json!({"serial": renewed.serial, "not_after": renewed.not_after});
        context.print(&document, || {
            let serial = &renewed.serial;
            format!("certificate {serial}, {days} days; a node that runs takes it up within seconds, without a restart")
        })
    }
}
