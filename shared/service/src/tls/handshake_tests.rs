//! What our two sides agree on, and what they do not let anybody else make of it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::{
    ClientConfig, ClientConnection, Connection, Error, NamedGroup, PeerIncompatible, ProtocolVersion, ServerConfig,
    ServerConnection, crypto::aws_lc_rs, version::TLS13,
};
use rustls_pki_types::ServerName;

use super::{certificates, client, private_key, roots, server};

/// A CA, a server called localhost and the site north.
struct Two {
    authority: String,
    site: (String, String),
    server: Arc<ServerConfig>,
}

fn two() -> Two {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let certify = |names: Vec<SanType>| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    let (chain, server_key) = certify(vec![SanType::DnsName("localhost".try_into().unwrap())]);
    let site = certify(vec![SanType::URI("snowball:site:north".try_into().unwrap())]);
    let server = server(&format!("{chain}{authority}"), &server_key, &authority).unwrap();
    Two {
        authority,
        site,
        server,
    }
}

/// Shakes hands in memory: what the client and the server hold then, or the first fault.
fn shake(client: ClientConfig, server: &Arc<ServerConfig>) -> Result<(ClientConnection, ServerConnection), Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = Connection::Client(ClientConnection::new(Arc::new(client), name).unwrap());
    let mut server = Connection::Server(ServerConnection::new(Arc::clone(server)).unwrap());
    while client.is_handshaking() || server.is_handshaking() {
        pass(&mut client, &mut server)?;
        pass(&mut server, &mut client)?;
    }
    match (client, server) {
        (Connection::Client(client), Connection::Server(server)) => Ok((client, server)),
        _ => unreachable!("they were made so above"),
    }
}

fn pass(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn our_two_sides_agree_on_a_post_quantum_hybrid() {
    let two = two();
    let (client, server) = shake(client(&two.authority, &two.site.0, &two.site.1).unwrap(), &two.server).unwrap();
    for (version, group) in [
        (client.protocol_version(), client.negotiated_key_exchange_group()),
        (server.protocol_version(), server.negotiated_key_exchange_group()),
    ] {
        assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
        assert_eq!(group.map(|group| group.name()), Some(NamedGroup::X25519MLKEM768));
    }
    assert!(server.peer_certificates().is_some());
}

#[test]
fn a_peer_without_the_hybrid_gets_x25519() {
    let two = two();
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let older = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots(&two.authority).unwrap())
        .with_client_auth_cert(certificates(&two.site.0).unwrap(), private_key(&two.site.1).unwrap())
        .unwrap();
    let (_, server) = shake(older, &two.server).unwrap();
    let group = server.negotiated_key_exchange_group().map(|group| group.name());
    assert_eq!(group, Some(NamedGroup::X25519));
}

/// The hello of a client that knows TLS 1.2 and nothing newer (RFC 5246), written by hand so that it needs no library's leave.
fn hello_of_tls_1_2() -> Vec<u8> {
    let extensions: &[&[u8]] = &[
        &[0, 10, 0, 4, 0, 2, 0, 29],      // groups: X25519
        &[0, 11, 0, 2, 1, 0],             // points: uncompressed
        &[0, 13, 0, 6, 0, 4, 4, 3, 8, 4], // signatures: ECDSA P-256, RSA-PSS
        &[0, 0, 0, 14, 0, 12, 0, 0, 9],   // name:
        b"localhost",
    ];
    let extensions = extensions.concat();
    let length = |bytes: usize, width: usize| bytes.to_be_bytes()[8 - width..].to_vec();
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &[0, 4, 0xc0, 0x2b, 0xc0, 0x2f],
        &[1, 0],
        &length(extensions.len(), 2),
        &extensions,
    ]
    .concat();
    let message = [&[1][..], &length(body.len(), 3), &body].concat();
    [&[22, 3, 1][..], &length(message.len(), 2), &message].concat()
}

#[test]
fn a_client_of_tls_1_2_is_refused() {
    let two = two();
    let mut server = ServerConnection::new(Arc::clone(&two.server)).unwrap();
    let hello = hello_of_tls_1_2();
    server.read_tls(&mut hello.as_slice()).unwrap();
    let refused = server.process_new_packets().unwrap_err();
    assert!(
        matches!(
            refused,
            Error::PeerIncompatible(PeerIncompatible::SupportedVersionsExtensionRequired)
        ),
        "{refused:?}"
    );
    let mut alert = Vec::new();
    server.write_tls(&mut alert).unwrap();
    // Fatal, protocol_version (RFC 8446, 6).
    assert!(alert.ends_with(&[2, 70]), "{alert:?}");
}
