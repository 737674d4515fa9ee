//! N102: nobody but the owner can read a key, and all of them are kept the same way.

use std::{os::unix::fs::PermissionsExt, path::Path};

use snowball_service::{
    doctor::{Check, Fault, Finding},
    keys::Kept,
};

use crate::home::Home;

const CHECK: Check = Check::new("N102", "keys");
const OTHERS: u32 = 0o077;

pub fn look(home: &Home) -> Finding {
    let (mut clear, mut wrapped, mut handed) = (Vec::new(), 0, 0);
    for path in home.key_files() {
        if let Some(fault) = is_open(&path) {
            return CHECK.of(Err(fault));
        }
        match home.keys().kept(&path) {
            Ok(Kept::Clear) => clear.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
            Ok(Kept::Wrapped) => wrapped += 1,
            Ok(Kept::Credential) => handed += 1,
            Ok(Kept::Missing) => {}
            Err(fault) => {
                return CHECK.bad(
                    fault,
                    "put the file back from a backup, readable by the node's user (chown, chmod 600)",
                );
            }
        }
    }
    let by_systemd = match handed {
        0 => String::new(),
        count => format!("; {count} handed over by systemd"),
    };
    match (clear.len(), wrapped) {
        (_, 0) => CHECK.good(format!(
            "readable by their owner alone, not under a passphrase (hospital-node keys protect){by_systemd}"
        )),
        (0, _) => CHECK.good(format!("under a passphrase{by_systemd}")),
        _ => CHECK.look(
            format!("under a passphrase, except {}{by_systemd}", clear.join(", ")),
            "run hospital-node keys protect again",
        ),
    }
}

fn is_open(path: &Path) -> Option<Fault> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & OTHERS != 0).then(|| {
        Fault::new(
            format!("{} can be read by others (mode {:o})", path.display(), mode & 0o777),
            format!(
                "chmod 600 {}; nothing that needs it runs before. If others use this machine, enrol again: a key that was open may \
                 be known",
                path.display()
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};

    use super::*;

    #[test]
    fn a_key_that_others_can_read_is_named_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tls.pem");
        assert!(is_open(&path).is_none(), "a key that is not there is nobody's");
        write(&path, "key").unwrap();
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(is_open(&path).is_none());
        for mode in [0o640, 0o604, 0o610] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let fault = is_open(&path).unwrap();
            assert!(fault.says.contains(&format!("mode {mode:o}")) && fault.remedy.contains("chmod 600"));
        }
    }
}
