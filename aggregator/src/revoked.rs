//! Which certificates are revoked, as requests under way hear of it: the guard looks once at a request's beginning, a long
//! poll, an upload or a download may last long after.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use snowball_protocol::limits::HEARTBEAT_SECONDS;
use snowball_registry::{Registry, RegistryError};
use snowball_service::{clock, tls::PeerCertificate};
use tokio::{sync::watch, time::sleep};

/// Revoked serial numbers, each with its reason.
type Serials = Arc<BTreeMap<String, String>>;

/// The revocations that this process knows of.
#[derive(Default)]
pub struct Revoked(watch::Sender<Serials>);

impl Revoked {
    /// Reads them anew; whoever waits for one of them hears of it.
    pub async fn refresh(&self, registry: &Registry) -> Result<(), RegistryError> {
        let revoked = registry.revoked_serials().await?;
        let serials: Serials = Arc::new(
            revoked
                .into_iter()
                .map(|certificate| (certificate.serial, certificate.reason))
                .collect(),
        );
        self.0.send_if_modified(|known| {
            let is_new = **known != *serials;
            *known = serials;
            is_new
        });
        Ok(())
    }

    /// Returns, with the words for the site, when `certificate` is revoked or over.
    pub fn end_of(&self, certificate: PeerCertificate) -> impl Future<Output = String> + Send + use<> {
        let mut serials = self.0.subscribe();
        async move {
            loop {
                if let Some(reason) = serials.borrow_and_update().get(&certificate.serial) {
                    return revoked(reason);
                }
                let left = certificate.not_after.saturating_add(1).saturating_sub(clock::now());
                if left <= 0 {
                    return EXPIRED.to_owned();
                }
                // In steps, since a clock may be set.
                let pause = u64::try_from(left).unwrap_or(u64::MAX).min(HEARTBEAT_SECONDS);
                tokio::select! {
                    () = sleep(Duration::from_secs(pause)) => {}
                    changed = serials.changed() => if changed.is_err() {
                        // The program is ending.
                        std::future::pending::<()>().await;
                    },
                }
            }
        }
    }
}

/// The words for a site whose certificate is over.
pub const EXPIRED: &str = "the site's certificate has expired";

/// The words for a site whose certificate is revoked.
pub fn revoked(reason: &str) -> String {
    format!("the site's certificate is revoked: {reason}")
}
