//! Asking for an association.

use std::{
    collections::BTreeMap,
    net::{TcpStream, ToSocketAddrs},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use dicom_ul::pdu::{
    AssociationRJ, AssociationRJServiceUserReason as User, AssociationRJSource as Source, AssociationRQ, Pdu,
    PresentationContextProposed, PresentationContextResultReason, RequestorRoles, UserVariableItem,
};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use crate::{
    AeTitle, PacsError,
    association::Association,
    classes::{APPLICATION_CONTEXT, IMPLICIT_LITTLE, VERIFICATION},
    command::{Command, field},
    negotiate::{self, Agreed},
    wire::{self, Socket, Stream},
};

const CONNECT_SECONDS: u64 = 15;
const PDU_BYTES_MAX: u32 = 128 * 1024;

/// Where the archive is and who we are to it.
pub struct Archive {
    /// `host:port`.
    pub address: String,
    /// Its title.
    pub called: AeTitle,
    /// Ours.
    pub calling: AeTitle,
    /// An association ends when no byte moved for so long.
    pub idle: Duration,
    /// TLS and nothing else, where it is given.
    pub tls: Option<Arc<ClientConfig>>,
    /// Set when this program is asked to end.
    pub stop: Arc<AtomicBool>,
}

/// An association with the archive.
pub struct Archived {
    pub(crate) association: Association,
}

/// A context to ask for.
pub(crate) struct Proposal {
    pub class: &'static str,
    pub syntaxes: Vec<&'static str>,
    /// We answer requests of this class rather than make them (PS3.7 annex D.3.3.4).
    pub is_provider: bool,
}

impl Proposal {
    pub fn user(class: &'static str) -> Self {
        Self {
            class,
            syntaxes: vec![IMPLICIT_LITTLE],
            is_provider: false,
        }
    }
}

impl Archive {
    /// Asks whether anybody is there (C-ECHO).
    ///
    /// # Errors
    /// When the archive cannot be reached or refuses us.
    pub fn echo(&self) -> Result<(), PacsError> {
        let mut archived = self.connect(&[Proposal::user(VERIFICATION)])?;
        let context = archived.context(VERIFICATION, "verification (C-ECHO)")?;
        let association = &mut archived.association;
        let request = Command::request(field::ECHO, association.next_message(), VERIFICATION, false);
        association.send(context, &request, None)?;
        let (_, answer) = association.next_command()?.ok_or(PacsError::Ended)?;
        match answer.status() {
            Some(0) => archived.end(),
            status => Err(PacsError::Status {
                service: "C-ECHO",
                status: status.unwrap_or(u16::MAX),
                meaning: "it should be 0000",
            }),
        }
    }

    pub(crate) fn connect(&self, proposals: &[Proposal]) -> Result<Archived, PacsError> {
        let mut stream = self.stream()?;
        wire::write(&mut *stream, &Pdu::AssociationRQ(self.request(proposals)))?;
        match wire::read(&mut *stream, PDU_BYTES_MAX, &mut Vec::new())? {
            Some(Pdu::AssociationAC(accepted)) => {
                let mut contexts = BTreeMap::new();
                for result in accepted.presentation_contexts {
                    let proposal = usize::from(result.id / 2);
                    let (PresentationContextResultReason::Acceptance, Some(proposal)) =
                        (result.reason, proposals.get(proposal))
                    else {
                        continue;
                    };
                    let syntax = negotiate::clean(&result.transfer_syntax);
                    // A syntax that we did not offer is one that we cannot read.
                    if proposal.syntaxes.contains(&syntax) {
                        contexts.insert(
                            result.id,
                            Agreed {
                                class: proposal.class.to_owned(),
                                syntax: syntax.to_owned(),
                            },
                        );
                    }
                }
                let peer_pdu_bytes_max = negotiate::peer_pdu_bytes_max(&accepted.user_variables);
                Ok(Archived {
                    association: Association::new(stream, contexts, peer_pdu_bytes_max, PDU_BYTES_MAX),
                })
            }
            Some(Pdu::AssociationRJ(refusal)) => Err(rejected(&refusal)),
            Some(Pdu::AbortRQ { .. }) | None => Err(PacsError::Ended),
            Some(_) => Err(PacsError::Pdu {
                what: "neither yes nor no to our request for an association",
            }),
        }
    }

    fn stream(&self) -> Result<Box<dyn Stream>, PacsError> {
        let unreachable = |source| PacsError::Unreachable {
            address: self.address.clone(),
            source,
        };
        let tcp = self
            .address
            .to_socket_addrs()
            .map_err(unreachable)?
            .map(|address| TcpStream::connect_timeout(&address, Duration::from_secs(CONNECT_SECONDS)))
            .reduce(|first, second| if first.is_ok() { first } else { second })
            .unwrap_or_else(|| Err(std::io::Error::other("the name has no address")))
            .map_err(unreachable)?;
        let socket = Socket::new(tcp, self.idle, Arc::clone(&self.stop)).map_err(PacsError::line)?;
        let Some(config) = &self.tls else {
            return Ok(Box::new(socket));
        };
        let setup = |reason: String| PacsError::Tls { reason };
        let host = self.address.rsplit_once(':').map_or(&*self.address, |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| setup("the archive's host is no name that a certificate can carry".to_owned()))?;
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(|fault| setup(fault.to_string()))?;
        Ok(Box::new(StreamOwned::new(connection, socket)))
    }

    fn request(&self, proposals: &[Proposal]) -> AssociationRQ {
        let mut user_variables = negotiate::own_variables(PDU_BYTES_MAX);
        for proposal in proposals.iter().filter(|proposal| proposal.is_provider) {
            let roles = RequestorRoles { scu: false, scp: true };
            let item = UserVariableItem::ScuScpRoleSelectionSubItem(proposal.class.to_owned(), roles);
            // One for each class, however many contexts it has.
            if !user_variables.contains(&item) {
                user_variables.push(item);
            }
        }
        AssociationRQ {
            protocol_version: 1,
            calling_ae_title: self.calling.to_string(),
            called_ae_title: self.called.to_string(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: (proposals.iter().zip((1..=255).step_by(2)))
                .map(|(proposal, id)| PresentationContextProposed {
                    id,
                    abstract_syntax: proposal.class.to_owned(),
                    transfer_syntaxes: proposal.syntaxes.iter().map(|uid| (*uid).to_owned()).collect(),
                })
                .collect(),
            user_variables,
        }
    }
}

impl Archived {
    pub(super) fn context(&self, class: &str, service: &'static str) -> Result<u8, PacsError> {
        self.association
            .context_of(class)
            .ok_or(PacsError::NotOffered { service })
    }

    /// Releases the association.
    ///
    /// # Errors
    /// When the line broke before.
    pub fn end(self) -> Result<(), PacsError> {
        self.association.release()
    }
}

fn rejected(refusal: &AssociationRJ) -> PacsError {
    let remedy = match &refusal.source {
        Source::ServiceUser(User::CallingAETitleNotRecognized) => {
            "ask its administrator to add our AE title, host and port"
        }
        Source::ServiceUser(User::CalledAETitleNotRecognized) => "correct the archive's AE title in node.toml",
        Source::ServiceProviderPresentation(_) => "it is busy; try again later",
        _ => "ask its administrator",
    };
    PacsError::Rejected {
        reason: refusal.source.to_string(),
        remedy,
    }
}
