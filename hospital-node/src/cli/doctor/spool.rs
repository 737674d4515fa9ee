//! N114: the folders in which objects of the network wait for their intake can be written.

use snowball_pacs::{PacsError, spool::Spool};
use snowball_service::doctor::{Check, Finding};

use crate::{config::NodeConfig, home::Home};

const CHECK: Check = Check::new("N114", "spool");

pub fn look(home: &Home, config: &NodeConfig) -> Finding {
    for way in ["receive", "fetch"] {
        match try_spool(home, config, way) {
            Ok(_) => {}
            Err(fault @ PacsError::DiskLow { .. }) => return CHECK.bad(fault, "see disk (N108)"),
            Err(fault) => {
                return CHECK.bad(
                    fault,
                    format!(
                        "{} must be a folder of the node's user, mode 700",
                        home.spool(way).display()
                    ),
                );
            }
        }
    }
    CHECK.good("writable")
}

/// The spool can be written and has room. `None` where another process of this node holds it, which is well.
pub(super) fn try_spool(home: &Home, config: &NodeConfig, way: &str) -> Result<Option<()>, PacsError> {
    match Spool::open(&home.spool(way), config.spool.disk_free_bytes_min) {
        Ok(spool) => spool.check_room().map(Some),
        Err(PacsError::SpoolInUse { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}
