//! One association from its first byte to its last.

use std::{
    net::TcpStream,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use dicom_ul::pdu::Pdu;
use rustls::{ServerConnection, StreamOwned};

use super::{Place, Shared, Storing, store};
use crate::{
    PacsError,
    association::Association,
    classes::VERIFICATION,
    command::{Command, field},
    negotiate::{self, Rules},
    wire::{self, Socket, Stream},
};

/// From the connection to the request, TLS included (PS3.8 section 9.1.5, the ARTIM timer).
const REQUEST_SECONDS_MAX: u64 = 30;
/// "Unrecognised operation" (PS3.7 annex C.5.24).
const UNRECOGNISED: u16 = 0x0211;

/// Serves one connection.
pub(super) fn run(tcp: TcpStream, shared: &Arc<Shared>) {
    // An association has a place from its request on: who has not yet said who he is takes none from those who have.
    let mut place = None;
    let outcome = establish(tcp, shared, &mut place).and_then(|established| {
        let Some((mut association, calling)) = established else {
            return Ok(());
        };
        let begun = Instant::now();
        let outcome = serve(&mut association, shared);
        if let Ok(Served { kept, failed }) = &outcome
            && kept + failed > 0
        {
            tracing::info!(
                calling,
                kept,
                failed,
                seconds = begun.elapsed().as_secs(),
                "an association ended"
            );
        }
        outcome.map(drop).inspect_err(|fault| {
            tracing::warn!(calling, "an association was ended: {fault}");
            association.abort(fault);
        })
    });
    match outcome {
        Ok(()) | Err(PacsError::Stopped) => {}
        Err(PacsError::Line(fault)) if fault.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            tracing::warn!("a TLS connection failed: {fault}");
        }
        // Port scanners and load balancers connect and go.
        Err(fault @ (PacsError::Ended | PacsError::Silent | PacsError::Line(_))) => {
            tracing::debug!("a connection ended: {fault}");
        }
        Err(fault) => tracing::debug!("a connection was closed: {fault}"),
    }
}

fn establish(
    tcp: TcpStream,
    shared: &Arc<Shared>,
    place: &mut Option<Place>,
) -> Result<Option<(Association, String)>, PacsError> {
    let settings = &shared.settings;
    let mut socket = Socket::new(tcp, settings.idle, Arc::clone(&shared.stop)).map_err(PacsError::line)?;
    socket.set_deadline(Some(Instant::now() + Duration::from_secs(REQUEST_SECONDS_MAX)));
    let mut stream: Box<dyn Stream> = match &settings.tls {
        None => Box::new(socket),
        Some(config) => {
            let connection = ServerConnection::new(Arc::clone(config)).map_err(|fault| PacsError::Tls {
                reason: fault.to_string(),
            })?;
            Box::new(StreamOwned::new(connection, socket))
        }
    };
    let request = match wire::read(&mut *stream, settings.pdu_bytes_max, &mut Vec::new())? {
        Some(Pdu::AssociationRQ(request)) => request,
        Some(_) => {
            return Err(PacsError::Pdu {
                what: "an association begins with its request",
            });
        }
        None => return Ok(None),
    };
    *place = Place::take(shared, |shared| &shared.established, settings.associations_max);
    let rules = Rules {
        called: &settings.called,
        calling: &settings.calling,
        is_decodable: settings.is_decodable,
        pdu_bytes_max: settings.pdu_bytes_max,
        is_full: place.is_none(),
    };
    match negotiate::answer(&request, &rules) {
        Err(refusal) => {
            *place = None;
            shared.counts.refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                called = printable(&request.called_ae_title),
                calling = printable(&request.calling_ae_title),
                "an association was refused: {}",
                refusal.source
            );
            wire::write(&mut *stream, &Pdu::AssociationRJ(refusal))?;
            // The peer closes first, so that it reads the refusal rather than a reset.
            let _ = wire::read(&mut *stream, settings.pdu_bytes_max, &mut Vec::new());
            Ok(None)
        }
        Ok(accepted) => {
            wire::write(&mut *stream, &Pdu::AssociationAC(accepted.answer))?;
            stream.socket().set_deadline(None);
            let association = Association::new(
                stream,
                accepted.contexts,
                accepted.peer_pdu_bytes_max,
                settings.pdu_bytes_max,
            );
            Ok(Some((association, accepted.calling)))
        }
    }
}

struct Served {
    kept: usize,
    failed: usize,
}

fn serve(association: &mut Association, shared: &Shared) -> Result<Served, PacsError> {
    let mut served = Served { kept: 0, failed: 0 };
    let storing = Storing {
        spool: &shared.spool,
        object_bytes_max: shared.settings.object_bytes_max,
    };
    while let Some((context, command)) = association.next_command()? {
        let is_verification = (association.contexts.get(&context)).is_some_and(|agreed| agreed.class == VERIFICATION);
        match command.field() {
            field::STORE if !is_verification => {
                if store(association, context, &command, &storing)? {
                    served.kept += 1;
                    shared.counts.kept.fetch_add(1, Ordering::Relaxed);
                    (shared.on_kept)();
                } else {
                    served.failed += 1;
                    shared.counts.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            field::ECHO if !command.has_data() => {
                association.send(context, &Command::response(&command, 0, None), None)?;
            }
            // Nothing can be cancelled here, and a cancellation has no answer (PS3.7 section 9.3.2.3).
            field::CANCEL => {}
            _ => {
                let mut bytes = 0;
                if command.has_data() {
                    association.data(context, |piece| {
                        bytes += piece.len() as u64;
                        if bytes > shared.settings.object_bytes_max {
                            return Err(PacsError::Message {
                                what: "it goes on without end",
                            });
                        }
                        Ok(())
                    })?;
                }
                association.send(context, &Command::response(&command, UNRECOGNISED, None), None)?;
            }
        }
    }
    Ok(served)
}

/// A title as a peer sent it, fit for a log.
pub(crate) fn printable(title: &str) -> String {
    title
        .chars()
        .take(16)
        .map(|letter| if (' '..='~').contains(&letter) { letter } else { '?' })
        .collect()
}
