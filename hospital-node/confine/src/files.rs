//! Landlock: the files that stay, and TCP.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::{Hold, Reach, Sockets};

/// The kernel takes what it knows of these. The first Landlock (Linux 5.13) closes files; later ones add truncation (6.2),
/// TCP (6.7), device calls (6.10), signals and abstract sockets (6.12), of which seccomp takes the first two anyway.
const WISHED: ABI = ABI::V6;

pub fn close(reach: &Reach, sockets: Sockets) -> Hold {
    match restrict(reach, sockets) {
        Ok(hold) => hold,
        Err(error) => Hold::Nothing(format!("Landlock refuses: {error}")),
    }
}

fn restrict(reach: &Reach, sockets: Sockets) -> Result<Hold, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WISHED))?;
    if sockets == Sockets::Closed {
        ruleset = ruleset.handle_access(AccessNet::from_all(WISHED))?;
    }
    let mut ruleset = ruleset.scope(Scope::from_all(WISHED))?.create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let all = AccessFs::from_all(WISHED);
    for (paths, access) in [
        (&reach.read, read),
        (&reach.run, read | AccessFs::Execute),
        (&reach.write, all),
    ] {
        for path in paths {
            // What does not exist cannot be opened anyway.
            let Ok(opened) = PathFd::new(path) else { continue };
            let access = if path.is_dir() {
                access
            } else {
                access & AccessFs::from_file(WISHED)
            };
            ruleset = ruleset.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    let status = ruleset.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => Hold::Nothing(
            "Landlock is built into this kernel and turned off; add it to the kernel's lsm= list".to_owned(),
        ),
        (RulesetStatus::NotEnforced, _) => Hold::Nothing("this kernel has no Landlock; it takes Linux 5.13".to_owned()),
        _ => Hold::Whole,
    })
}
