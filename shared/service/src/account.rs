//! Whose account a command works from, for the record.

use std::os::unix::fs::MetadataExt as _;

/// The account that this program runs under, as the system names it; the environment is not asked, because anybody sets it.
#[must_use]
pub fn account() -> String {
    let Ok(about) = std::fs::metadata("/proc/self") else {
        return "unknown".to_owned();
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(about.uid(), &users)
}

fn name_of(user: u32, users: &str) -> String {
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(user)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("user {user}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_name_or_its_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!(
            (name_of(1000, users), name_of(7, users)),
            ("anna".to_owned(), "user 7".to_owned())
        );
    }
}
