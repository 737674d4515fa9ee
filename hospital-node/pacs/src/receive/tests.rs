//! The SCP against our own SCU, in one process.

use std::{
    fs,
    io::{Read as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::{
    PacsError,
    classes::{EXPLICIT_LITTLE, VERIFICATION},
    command::{Command, element, field},
    query::{Archive, Archived, Proposal},
    tls::{self, Identity},
};

const COMPUTED: &str = "1.2.840.10008.5.1.4.1.1.1";

struct Stage {
    folder: TempDir,
    receiver: Receiver,
}

fn stage(change: impl FnOnce(&mut Settings)) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::open(folder.path(), 0).unwrap());
    let mut settings = Settings {
        called: BTreeSet::from(["SNOWBALL".parse().unwrap()]),
        calling: BTreeSet::from(["PACS".parse().unwrap()]),
        associations_max: 4,
        pdu_bytes_max: 16_384,
        object_bytes_max: 100_000,
        idle: Duration::from_secs(20),
        is_decodable: |uid| uid == EXPLICIT_LITTLE,
        tls: None,
    };
    change(&mut settings);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let receiver = Receiver::start(listener, settings, spool, || {}).unwrap();
    Stage { folder, receiver }
}

impl Stage {
    fn archive(&self, calling: &str, tls: Option<rustls::ClientConfig>) -> Archive {
        Archive {
            address: format!("localhost:{}", self.receiver.address().port()),
            called: "SNOWBALL".parse().unwrap(),
            calling: calling.parse().unwrap(),
            idle: Duration::from_secs(20),
            tls: tls.map(Arc::new),
            stop: Arc::new(AtomicBool::new(false)),
        }
    }

    fn sender(&self) -> Archived {
        let proposals = [
            Proposal {
                class: COMPUTED,
                syntaxes: vec![EXPLICIT_LITTLE],
                is_provider: false,
            },
            Proposal::user(VERIFICATION),
        ];
        self.archive("PACS", None).connect(&proposals).unwrap()
    }

    fn objects(&self) -> Vec<Vec<u8>> {
        let mut objects: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "dcm"))
            .map(|entry| fs::read(entry.path()).unwrap())
            .collect();
        objects.sort();
        objects
    }
}

/// Sends one object; the status that it is answered with.
fn store(archived: &mut Archived, class: &str, data: Option<&[u8]>) -> u16 {
    let association = &mut archived.association;
    let request = Command::request(field::STORE, association.next_message(), class, data.is_some())
        .text(element::AFFECTED_INSTANCE, "1.2.3.4");
    let context = association.context_of(COMPUTED).unwrap();
    association.send(context, &request, data).unwrap();
    let (_, answer) = association.next_command().unwrap().unwrap();
    answer.status().unwrap()
}

#[test]
fn objects_are_kept_byte_for_byte_and_a_bad_one_stops_no_other() {
    let stage = stage(|_| {});
    let mut sender = stage.sender();
    let data = vec![7; 50_000];
    assert_eq!(store(&mut sender, COMPUTED, Some(&data)), 0x0000);
    assert_eq!(store(&mut sender, "1.2.840.10008.5.1.4.1.1.2", Some(&data)), 0xa900);
    assert_eq!(store(&mut sender, COMPUTED, None), 0xc000);
    assert_eq!(
        store(&mut sender, COMPUTED, Some(&vec![1; 150_000])),
        0xc000,
        "too large"
    );
    assert_eq!(store(&mut sender, COMPUTED, Some(&[9; 10])), 0x0000);
    sender.end().unwrap();
    let objects = stage.objects();
    assert_eq!(objects.len(), 2);
    for object in &objects {
        assert_eq!(&object[128..132], b"DICM");
    }
    assert!(objects.iter().any(|object| object.ends_with(&data)));
    let counts = stage.receiver.counts();
    assert_eq!(
        (
            counts.kept.load(Ordering::Relaxed),
            counts.failed.load(Ordering::Relaxed)
        ),
        (2, 3)
    );
}

#[test]
fn an_object_without_end_costs_its_association_alone() {
    let stage = stage(|_| {});
    let mut sender = stage.sender();
    let association = &mut sender.association;
    let request = Command::request(field::STORE, 1, COMPUTED, true);
    let context = association.context_of(COMPUTED).unwrap();
    // The line is cut while we are still sending, or right after.
    let outcome = association
        .send(context, &request, Some(&vec![0; 4_000_000]))
        .and_then(|()| association.next_command());
    assert!(outcome.is_err(), "{outcome:?}");
    assert!(stage.objects().is_empty());
    stage.archive("PACS", None).echo().unwrap();
}

#[test]
fn an_operation_that_is_not_ours_is_refused_and_nothing_else() {
    let stage = stage(|_| {});
    let mut sender = stage.sender();
    let association = &mut sender.association;
    // N-ACTION, as for storage commitment.
    let request = Command::request(0x0130, association.next_message(), COMPUTED, true);
    let context = association.context_of(COMPUTED).unwrap();
    association.send(context, &request, Some(b"12345678")).unwrap();
    let (_, answer) = association.next_command().unwrap().unwrap();
    assert_eq!((answer.field(), answer.status()), (0x8130, Some(0x0211)));
    assert_eq!(store(&mut sender, COMPUTED, Some(&[9; 10])), 0);
}

#[test]
fn strangers_and_noise_are_turned_away() {
    let stage = stage(|_| {});
    assert!(matches!(
        stage.archive("NOBODY", None).echo(),
        Err(PacsError::Rejected { .. })
    ));
    for noise in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 500],
        &[1, 0, 0, 0, 0, 4, 1, 2, 3, 4],
        b"",
    ] {
        let mut tcp = TcpStream::connect(stage.receiver.address()).unwrap();
        // A reset is an answer as well, at any of these.
        let _ = tcp
            .write_all(noise)
            .and_then(|()| tcp.shutdown(std::net::Shutdown::Write))
            .and_then(|()| tcp.read_to_end(&mut Vec::new()));
    }
    stage.archive("PACS", None).echo().unwrap();
}

#[test]
fn places_are_bounded_and_given_back() {
    let stage = stage(|settings| settings.associations_max = 1);
    // Who only connects takes no place.
    let _idle: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(stage.receiver.address()).unwrap())
        .collect();
    let holder = stage.sender();
    let refused = stage.archive("PACS", None).echo();
    assert!(
        matches!(&refused, Err(PacsError::Rejected { remedy, .. }) if remedy.contains("later")),
        "{refused:?}"
    );
    holder.end().unwrap();
    let freed = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        stage.archive("PACS", None).echo().is_ok()
    });
    assert!(freed, "the place is free again");
}

#[test]
fn silence_ends_an_association() {
    let stage = stage(|settings| settings.idle = Duration::from_millis(300));
    let mut sender = stage.sender();
    let ended = sender.association.next_command();
    assert!(ended.is_err(), "{ended:?}");
}

/// A CA, and identities that it certified.
fn identities() -> (String, Identity, Identity) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let identity = || {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        Identity {
            certificate_pem: params.signed_by(&key, &issuer).unwrap().pem(),
            key_pem: key.serialize_pem(),
        }
    };
    (ca_pem, identity(), identity())
}

#[test]
fn with_mutual_tls_only_certified_peers_come_in() {
    let (ca, ours, theirs) = identities();
    let (other_ca, _, stranger) = identities();
    let stage = stage(|settings| settings.tls = Some(tls::server(&ours, Some(&ca)).unwrap()));
    let with = |ca: &str, identity| stage.archive("PACS", Some(tls::client(ca, identity).unwrap())).echo();
    with(&ca, Some(&theirs)).unwrap();
    assert!(with(&ca, None).is_err(), "no certificate");
    assert!(with(&ca, Some(&stranger)).is_err(), "of another CA");
    assert!(with(&other_ca, Some(&theirs)).is_err(), "a server of another CA");
    assert!(stage.archive("PACS", None).echo().is_err(), "in the clear");
    with(&ca, Some(&theirs)).unwrap();
}
