//! What the consortium is, written down once when it is founded.

use serde::{Deserialize, Serialize};
use snowball_protocol::{ProblemCode, Sha256Digest, ids::UnixSeconds};

use crate::{
    Registry, RegistryError,
    rows::{Columns as _, to_json},
};

/// The facts that invitations are made of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Consortium {
    /// Its name, for people.
    pub name: String,
    /// Where nodes reach the aggregator: `https://host:port`.
    pub address: String,
    /// SHA-256 of the CA's certificate in DER.
    pub ca_fingerprint: Sha256Digest,
    /// The aggregator's Ed25519 key that signs receipts and its ledger, base64.
    pub aggregator_key: String,
    /// When it was founded.
    pub founded: UnixSeconds,
}

impl Registry {
    /// Writes down the consortium, once. The same again is fine.
    ///
    /// # Errors
    /// When another one is written down already, or the database fails.
    pub async fn found(&self, consortium: &Consortium) -> Result<(), RegistryError> {
        let mut transaction = self.begin("found the consortium").await?;
        sqlx::query("INSERT INTO consortium (only, document) VALUES (1, $1) ON CONFLICT DO NOTHING")
            .bind(to_json(consortium))
            .execute(transaction.connection())
            .await?;
        let row = sqlx::query("SELECT document FROM consortium")
            .fetch_one(transaction.connection())
            .await?;
        if row.document::<Consortium>("document")? != *consortium {
            return Err(RegistryError::refused(
                ProblemCode::Malformed,
                "this registry belongs to another consortium",
            ));
        }
        transaction.commit().await
    }

    /// The consortium, if it was founded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn consortium(&self) -> Result<Option<Consortium>, RegistryError> {
        let row = sqlx::query("SELECT document FROM consortium")
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| row.document("document")).transpose()
    }
}
