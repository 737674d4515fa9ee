//! Faults of every kind, put in right after the writing: each is noticed, and nothing of it stays.

use rusqlite::Connection;
use serde_json::{Value, json};
use snowball_protocol::intake::IntakeReason;

use super::*;
use crate::{
    Added, codec,
    sample::{Sample, Spoil, cohort, keys},
};

/// Writes `change`d facts or making in the place of those that were written.
fn rewrite(store: &Store, connection: &Connection, radiograph: &Radiograph, column: &str, change: &dyn Fn(&mut Value)) {
    let name = if column == "facts" {
        b"facts 1".as_slice()
    } else {
        b"making 1"
    };
    let place = if column == "facts" {
        [name, radiograph.id().as_bytes(), radiograph.patient().as_bytes()].concat()
    } else {
        [name, radiograph.id().as_bytes()].concat()
    };
    let id = radiograph.id().as_bytes();
    let sealed: Vec<u8> = connection
        .query_row(
            &format!("SELECT {column} FROM radiographs WHERE radiograph = ?1"),
            [id],
            |row| row.get(0),
        )
        .unwrap();
    let mut row: Value = serde_json::from_slice(&store.keys.facts.open(&place, sealed).unwrap()).unwrap();
    change(&mut row);
    let sealed = store
        .keys
        .facts
        .seal(&place, &serde_json::to_vec(&row).unwrap())
        .unwrap();
    let sql = format!("UPDATE radiographs SET {column} = ?2 WHERE radiograph = ?1");
    connection.execute(&sql, params![id, sealed]).unwrap();
}

/// Writes other pixels, soundly sealed, in the place of those that were written.
fn repaint(store: &Store, connection: &Connection, radiograph: &Radiograph, extent: Extent, change: fn(&mut u16)) {
    let mut pixels = radiograph.pixels().to_vec();
    pixels.iter_mut().for_each(change);
    replace(store, connection, radiograph, extent, &pixels);
}

fn replace(store: &Store, connection: &Connection, radiograph: &Radiograph, extent: Extent, pixels: &[u16]) {
    let (encoding, content) = codec::encode(radiograph.columns(), pixels);
    let bytes = content.len() + snowball_crypto::SEAL_BYTES;
    // Beyond the end of the pack, so that any length fits.
    let extent = Extent {
        offset: extent.offset + (1 << 20),
        bytes: bytes as u32,
        ..extent
    };
    let sealed = store
        .keys
        .pictures
        .seal(&picture_place(radiograph.id(), extent), &content)
        .unwrap();
    store.packs.write(extent.pack, extent.offset, &sealed).unwrap();
    let sql = "UPDATE radiographs SET offset = ?2, bytes = ?3 WHERE radiograph = ?1";
    let row = params![radiograph.id().as_bytes(), extent.offset as i64, extent.bytes];
    connection.execute(sql, row).unwrap();
    rewrite(store, connection, radiograph, "facts", &|facts| {
        facts["digest"] = json!(Sha256Digest::of(&content).to_string());
        facts["encoding"] = json!(encoding as u8);
    });
}

const SPOILS: [(Unsound, Spoil); 10] = [
    (Unsound::Unreadable, |store, _, _, extent| {
        let last = extent.offset + u64::from(extent.bytes) - 1;
        let byte = *store.packs.read(extent).unwrap().last().unwrap();
        store.packs.write(extent.pack, last, &[!byte]).unwrap();
    }),
    (Unsound::Unreadable, |_, connection, radiograph, _| {
        connection
            .execute(
                "UPDATE radiographs SET making = facts WHERE radiograph = ?1",
                [radiograph.id().as_bytes()],
            )
            .unwrap();
    }),
    (Unsound::Pixels, |store, connection, radiograph, extent| {
        repaint(store, connection, radiograph, extent, |value| *value ^= 1);
    }),
    (Unsound::Depth, |store, connection, radiograph, extent| {
        repaint(store, connection, radiograph, extent, |value| *value |= 0x4000);
    }),
    (Unsound::Vocabulary, |store, connection, radiograph, _| {
        rewrite(store, connection, radiograph, "facts", &|facts| {
            facts["labels"]["body_part"] = json!("Left knee of a friend")
        });
    }),
    (Unsound::Vocabulary, |store, connection, radiograph, _| {
        rewrite(store, connection, radiograph, "making", &|making| {
            making["acquisition"]["station"] = json!(7)
        });
    }),
    (Unsound::Vocabulary, |store, connection, radiograph, _| {
        rewrite(store, connection, radiograph, "facts", &|facts| {
            facts["labels"]["age_years"] = json!(93.0)
        });
    }),
    (Unsound::Identifier, |store, connection, radiograph, _| {
        rewrite(store, connection, radiograph, "facts", &|facts| {
            facts["study"] = json!("Nobody, Invented")
        });
    }),
    (Unsound::Identifier, |store, connection, radiograph, _| {
        rewrite(store, connection, radiograph, "making", &|making| {
            making["evidence"]["removed"] = json!({ "p0000001": true });
        });
    }),
    (Unsound::Content, |store, connection, radiograph, _| {
        rewrite(store, connection, radiograph, "facts", &|facts| {
            facts["labels"]["view"] = json!("AP")
        });
    }),
];

#[test]
fn what_was_written_wrong_is_noticed_and_taken_back() {
    for (number, (kind, spoil)) in SPOILS.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), keys()).unwrap();
        let (sound, spoilt) = (Sample::new(2, 2).radiograph(), Sample::new(1, 1).radiograph());
        let key = Sha256Digest::of(b"the file");
        let importer = store.importer();
        assert_eq!(
            importer.add(&sound, &Sha256Digest::of(b"a sound one")).unwrap(),
            Added::New
        );
        *store.spoil.lock().unwrap() = Some(spoil);
        // As the importer finds it, and what exactly.
        store
            .change(|connection, tail| store.insert(connection, tail, &spoilt, None))
            .unwrap();
        let found = store
            .reread(&spoilt, Some(Sha256Digest::of(&pixels::bytes(spoilt.pixels()))))
            .unwrap();
        assert!(found.contains(&kind), "{number}: {found:?} instead of {kind:?}");
        store.take_back(spoilt.id()).unwrap();
        let added = importer.add(&spoilt, &key).unwrap();
        assert_eq!(
            (added, added.reason()),
            (Added::Unsound, Some(IntakeReason::IdentifierRemains)),
            "{number}"
        );
        assert_eq!(
            (store.count().unwrap(), store.seen(&key).unwrap()),
            (1, None),
            "{number}"
        );
        assert_eq!(store.add(&spoilt).unwrap(), Added::Unsound, "{number}");
        *store.spoil.lock().unwrap() = None;
        assert_eq!(
            importer.add(&spoilt, &key).unwrap(),
            Added::New,
            "{number}: the fault is gone"
        );
        assert_eq!(store.look_again(true).unwrap().faults, BTreeMap::new(), "{number}");
    }
}

/// A name in letters of 5 by 7, as devices burn them in.
const NAME: [&str; 7] = [
    "##### ####  ##### #   # ####  #      ###  #   #",
    "  #   #   # #     ## ## #   # #     #   # #   #",
    "  #   #   # #     # # # #   # #     #   #  # # ",
    "  #   ####  ####  # # # ####  #     #####   #  ",
    "  #   # #   #     #   # #   # #     #   #   #  ",
    "  #   #  #  #     #   # #   # #     #   #   #  ",
    "  #   #   # ##### #   # ####  ##### #   #   #  ",
];

/// The pixels of `radiograph` with the name written across them.
fn named(radiograph: &Radiograph) -> Vec<u16> {
    let (scale, left, top) = (3, 30, 40);
    let mut pixels = radiograph.pixels().to_vec();
    for (row, line) in NAME.iter().enumerate() {
        for (column, _) in line.bytes().enumerate().filter(|(_, ink)| *ink == b'#') {
            for (y, x) in (0..scale * scale).map(|place| (place / scale, place % scale)) {
                pixels[(top + row * scale + y) * radiograph.columns() as usize + left + column * scale + x] = 4095;
            }
        }
    }
    pixels
}

#[test]
fn text_that_the_second_look_alone_sees_is_for_a_person_to_judge() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), keys()).unwrap();
    let large = |number| Sample {
        rows: 120,
        columns: 200,
        ..Sample::new(number, number)
    };
    let radiograph = (1..)
        .map(|number| large(number).radiograph())
        .find(|one| one.id().as_bytes()[0].is_multiple_of(SEARCH_EVERY))
        .unwrap();
    let wanted = Some(Sha256Digest::of(&pixels::bytes(&named(&radiograph))));
    let insert = || {
        store
            .change(|connection, tail| store.insert(connection, tail, &radiograph, None))
            .unwrap();
    };
    *store.spoil.lock().unwrap() = Some(|store, connection, radiograph, extent| {
        replace(store, connection, radiograph, extent, &named(radiograph));
    });
    insert();
    assert_eq!(store.reread(&radiograph, wanted).unwrap(), [Unsound::Text].into());
    let added = store.looked_at(&radiograph, wanted, Added::New).unwrap();
    assert_eq!(
        (added, added.reason()),
        (Added::ShowsText, Some(IntakeReason::TextRemains))
    );
    assert_eq!(store.count().unwrap(), 0, "nothing of it stays until somebody looked");
    // Where more is wrong, no look at the picture settles it: here these are not the pixels that came in.
    assert_eq!(store.add(&radiograph).unwrap(), Added::Unsound);
    // What a person looked at and released is not found again.
    *store.spoil.lock().unwrap() = Some(|store, connection, radiograph, extent| {
        replace(store, connection, radiograph, extent, &named(radiograph));
        rewrite(store, connection, radiograph, "making", &|making| {
            making["evidence"]["burned_in"] = json!("reviewed");
        });
    });
    insert();
    assert!(!store.reread(&radiograph, wanted).unwrap().contains(&Unsound::Text));
}

#[test]
fn a_whole_store_is_looked_at_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), keys()).unwrap();
    let radiographs = cohort(6);
    store.add_all(&radiographs).unwrap();
    let sound = store.look_again(true).unwrap();
    assert_eq!((sound.radiographs, sound.unsound), (6, 0), "{sound:?}");
    store
        .change(|connection, _| {
            rewrite(&store, connection, &radiographs[3], "facts", &|facts| {
                facts["labels"]["sex"] = json!("Nobody")
            });
            Ok(())
        })
        .unwrap();
    let hurt = store.look_again(false).unwrap();
    assert_eq!((hurt.radiographs, hurt.unsound), (6, 1));
    assert_eq!(hurt.faults, [(Unsound::Vocabulary, 1)].into());
    assert_eq!(store.damaged().unwrap(), 0, "its pixels are whole");
    // What an earlier run left unlooked at is looked at when the file comes again.
    assert_eq!(store.add(&radiographs[3]).unwrap(), Added::Unsound);
    assert_eq!(store.look_again(true).unwrap().unsound, 0);
}
