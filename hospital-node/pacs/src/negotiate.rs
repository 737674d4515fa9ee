//! Who may speak to us about what: a pure answer to an association request (PS3.8 sections 7.1 and 9.3).

use std::collections::{BTreeMap, BTreeSet};

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason as Acse,
    AssociationRJServiceProviderPresentationReason as Presentation, AssociationRJServiceUserReason as User,
    AssociationRJSource as Source, AssociationRQ, PresentationContextResult, PresentationContextResultReason as Answer,
    UserVariableItem,
};

use crate::{
    AeTitle, RADIOGRAPHS,
    classes::{
        APPLICATION_CONTEXT, EXPLICIT_LITTLE, IMPLEMENTATION, IMPLEMENTATION_VERSION, IMPLICIT_LITTLE, VERIFICATION,
    },
};

/// What a presentation context was agreed for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Agreed {
    pub class: String,
    pub syntax: String,
}

/// What an acceptor permits. Nobody and nothing is permitted who is not named.
pub(crate) struct Rules<'a> {
    pub called: &'a BTreeSet<AeTitle>,
    pub calling: &'a BTreeSet<AeTitle>,
    pub is_decodable: fn(&str) -> bool,
    pub pdu_bytes_max: u32,
    /// All places are taken.
    pub is_full: bool,
}

/// An association as accepted.
pub(crate) struct Accepted {
    pub answer: AssociationAC,
    pub contexts: BTreeMap<u8, Agreed>,
    pub peer_pdu_bytes_max: u32,
    pub calling: String,
}

/// Decides on a request.
pub(crate) fn answer(request: &AssociationRQ, rules: &Rules<'_>) -> Result<Accepted, AssociationRJ> {
    let reject = |result, source| Err(AssociationRJ { result, source });
    if request.protocol_version & 1 == 0 {
        let source = Source::ServiceProviderASCE(Acse::ProtocolVersionNotSupported);
        return reject(AssociationRJResult::Permanent, source);
    }
    if request.application_context_name.trim_matches([' ', '\0']) != APPLICATION_CONTEXT {
        let source = Source::ServiceUser(User::ApplicationContextNameNotSupported);
        return reject(AssociationRJResult::Permanent, source);
    }
    if !named(rules.called, &request.called_ae_title) {
        let source = Source::ServiceUser(User::CalledAETitleNotRecognized);
        return reject(AssociationRJResult::Permanent, source);
    }
    if !named(rules.calling, &request.calling_ae_title) {
        let source = Source::ServiceUser(User::CallingAETitleNotRecognized);
        return reject(AssociationRJResult::Permanent, source);
    }
    if rules.is_full {
        let source = Source::ServiceProviderPresentation(Presentation::LocalLimitExceeded);
        return reject(AssociationRJResult::Transient, source);
    }
    let mut contexts = BTreeMap::new();
    let presentation_contexts = request
        .presentation_contexts
        .iter()
        .map(|proposed| {
            let class = clean(&proposed.abstract_syntax);
            let syntaxes = || proposed.transfer_syntaxes.iter().map(|syntax| clean(syntax));
            let (reason, syntax) = if contexts.contains_key(&proposed.id) || proposed.id % 2 == 0 {
                (Answer::NoReason, None)
            } else if class == VERIFICATION {
                choose(syntaxes().find(|uid| *uid == IMPLICIT_LITTLE || *uid == EXPLICIT_LITTLE))
            } else if RADIOGRAPHS.contains(&class) {
                choose(syntaxes().find(|uid| (rules.is_decodable)(uid)))
            } else {
                (Answer::AbstractSyntaxNotSupported, None)
            };
            if let Some(syntax) = syntax {
                let agreed = Agreed {
                    class: class.to_owned(),
                    syntax: syntax.to_owned(),
                };
                contexts.insert(proposed.id, agreed);
            }
            PresentationContextResult {
                id: proposed.id,
                reason,
                // Not significant in a refusal, but there must be one.
                transfer_syntax: syntax.unwrap_or(IMPLICIT_LITTLE).to_owned(),
            }
        })
        .collect();
    Ok(Accepted {
        answer: AssociationAC {
            protocol_version: 1,
            calling_ae_title: request.calling_ae_title.clone(),
            called_ae_title: request.called_ae_title.clone(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts,
            user_variables: own_variables(rules.pdu_bytes_max),
        },
        contexts,
        peer_pdu_bytes_max: peer_pdu_bytes_max(&request.user_variables),
        calling: request.calling_ae_title.clone(),
    })
}

/// What we say of ourselves in either role.
pub(crate) fn own_variables(pdu_bytes_max: u32) -> Vec<UserVariableItem> {
    vec![
        UserVariableItem::MaxLength(pdu_bytes_max),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION.to_owned()),
    ]
}

/// How long the PDUs may be that the peer takes; 0 in its request means any length.
pub(crate) fn peer_pdu_bytes_max(variables: &[UserVariableItem]) -> u32 {
    let said = variables.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(bytes) => Some(*bytes),
        _ => None,
    });
    match said {
        None | Some(0) => 128 * 1024,
        // Below that no command fits into one piece; a peer that says so is mistaken or hostile.
        Some(bytes) => bytes.clamp(512, 128 * 1024),
    }
}

pub(crate) fn clean(uid: &str) -> &str {
    uid.trim_matches([' ', '\0'])
}

fn choose(syntax: Option<&str>) -> (Answer, Option<&str>) {
    match syntax {
        Some(syntax) => (Answer::Acceptance, Some(syntax)),
        None => (Answer::TransferSyntaxesNotSupported, None),
    }
}

fn named(titles: &BTreeSet<AeTitle>, title: &str) -> bool {
    titles
        .iter()
        .any(|named| named.as_str() == title.trim_matches([' ', '\0']))
}

#[cfg(test)]
mod tests {
    use dicom_ul::pdu::PresentationContextProposed;

    use super::*;

    const COMPUTED: &str = "1.2.840.10008.5.1.4.1.1.1";
    const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
    const COMMITMENT: &str = "1.2.840.10008.1.20.1";
    const MPEG2: &str = "1.2.840.10008.1.2.4.100";

    fn titles(names: &[&str]) -> BTreeSet<AeTitle> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn request(called: &str, calling: &str, contexts: &[(u8, &str, &[&str])]) -> AssociationRQ {
        AssociationRQ {
            protocol_version: 1,
            calling_ae_title: calling.to_owned(),
            called_ae_title: called.to_owned(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: contexts
                .iter()
                .map(|(id, class, syntaxes)| PresentationContextProposed {
                    id: *id,
                    abstract_syntax: (*class).to_owned(),
                    transfer_syntaxes: syntaxes.iter().map(|uid| (*uid).to_owned()).collect(),
                })
                .collect(),
            user_variables: vec![UserVariableItem::MaxLength(0)],
        }
    }

    fn decide(request: &AssociationRQ, is_full: bool) -> Result<Accepted, AssociationRJ> {
        let rules = Rules {
            called: &titles(&["SNOWBALL"]),
            calling: &titles(&["PACS", "MODALITY"]),
            is_decodable: |uid| [IMPLICIT_LITTLE, EXPLICIT_LITTLE].contains(&uid),
            pdu_bytes_max: 16_384,
            is_full,
        };
        answer(request, &rules)
    }

    #[test]
    fn only_named_titles_come_in_and_the_reason_is_the_standards() {
        let contexts: &[(u8, &str, &[&str])] = &[(1, COMPUTED, &[EXPLICIT_LITTLE])];
        let refusal = |called, calling, full| decide(&request(called, calling, contexts), full).err().unwrap();
        assert_eq!(
            refusal("OTHER", "PACS", false).source,
            Source::ServiceUser(User::CalledAETitleNotRecognized)
        );
        assert_eq!(
            refusal("SNOWBALL", "OTHER", false).source,
            Source::ServiceUser(User::CallingAETitleNotRecognized)
        );
        assert_eq!(
            refusal("snowball", "PACS", false).result,
            AssociationRJResult::Permanent
        );
        assert_eq!(refusal("SNOWBALL", "PACS", true).result, AssociationRJResult::Transient);
        assert!(decide(&request("SNOWBALL", "MODALITY", contexts), false).is_ok());
    }

    #[test]
    fn only_radiographs_in_syntaxes_that_decode_are_agreed() {
        let accepted = decide(
            &request(
                "SNOWBALL",
                "PACS",
                &[
                    (1, COMPUTED, &[MPEG2, EXPLICIT_LITTLE, IMPLICIT_LITTLE]),
                    (3, COMPUTED, &[MPEG2]),
                    (5, CT, &[EXPLICIT_LITTLE]),
                    (7, VERIFICATION, &[IMPLICIT_LITTLE]),
                    (9, COMMITMENT, &[IMPLICIT_LITTLE]),
                    (1, COMPUTED, &[IMPLICIT_LITTLE]),
                    (2, COMPUTED, &[IMPLICIT_LITTLE]),
                ],
            ),
            false,
        )
        .ok()
        .unwrap();
        let reasons: Vec<_> = accepted
            .answer
            .presentation_contexts
            .iter()
            .map(|context| context.reason.clone() as u8)
            .collect();
        assert_eq!(reasons, [0, 4, 3, 0, 3, 2, 2]);
        assert_eq!(accepted.contexts.keys().copied().collect::<Vec<_>>(), [1, 7]);
        assert_eq!(
            accepted.contexts[&1].syntax, EXPLICIT_LITTLE,
            "not overwritten by a second proposal"
        );
    }

    #[test]
    fn absurd_pdu_lengths_are_bounded() {
        for (said, used) in [(0, 131_072), (1, 512), (16_384, 16_384), (u32::MAX, 131_072)] {
            assert_eq!(peer_pdu_bytes_max(&[UserVariableItem::MaxLength(said)]), used);
        }
    }
}
