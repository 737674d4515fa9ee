//! A page as a person types it: its blocks of commands in order, and what it says that the screen shows.
//!
//! A block is fenced by `sh`, and may say behind that word what a reader does not see once the page is drawn: `terminal=2`, in which of
//! several terminals it is typed; `until="words"`, that it goes on when these were shown, whether the last command has ended or not;
//! `exit=3`, how its last command ends; `needs="torch"`, without which it is left out aloud; `not-run="why"`, that no test can run it. A
//! fence of `text` below it holds lines that must have been shown, blanks aside.

use std::path::{Path, PathBuf};

/// Commands that are typed in one go.
#[derive(Debug, Default)]
pub struct Block {
    /// The line of the page on which it begins.
    pub line: usize,
    pub terminal: usize,
    pub until: Option<String>,
    pub exit: i32,
    pub needs: Option<String>,
    pub not_run: Option<String>,
    pub commands: Vec<String>,
    /// What the page says that is shown.
    pub shown: Vec<String>,
}

impl Block {
    /// One command in the first terminal.
    pub fn of(command: &str) -> Self {
        Self {
            terminal: 1,
            commands: vec![command.to_owned()],
            ..Self::default()
        }
    }
}

/// The folder of the whole project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

pub fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap_or_else(|fault| panic!("{page}: {fault}"))
}

/// Every fence of a text: the line on which it begins, the words behind its marks, and what it holds.
pub fn fences(text: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let mut fences = Vec::new();
    let mut open: Option<(usize, &str, Vec<&str>)> = None;
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(words), None) => open = Some((number + 1, words, Vec::new())),
            (Some(_), Some(_)) => fences.extend(open.take()),
            (None, Some((.., held))) => held.push(line),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    fences
}

/// The blocks of a page.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (line, words, held) in fences(text) {
        match words.split(' ').next() {
            Some("sh") => {
                let attributes = words.strip_prefix("sh").unwrap_or_default();
                let mut block = block(attributes).unwrap_or_else(|| panic!("line {line}: what is {attributes:?}?"));
                block.line = line;
                block.commands = held.iter().map(|one| (*one).to_owned()).collect();
                blocks.push(block);
            }
            Some("text") => {
                let before = blocks
                    .last_mut()
                    .unwrap_or_else(|| panic!("line {line}: nothing is shown yet"));
                before.shown.extend(held.iter().map(|one| (*one).to_owned()));
            }
            _ => {}
        }
    }
    blocks
}

/// What stands behind `sh`. `None`: something that nobody knows.
fn block(mut words: &str) -> Option<Block> {
    let mut block = Block {
        terminal: 1,
        ..Block::default()
    };
    loop {
        words = words.trim_start();
        if words.is_empty() {
            return Some(block);
        }
        let (name, rest) = words.split_once('=')?;
        let value = if rest.starts_with('"') {
            // A quotation mark inside is written \".
            let end =
                (1..rest.len()).find(|place| rest[*place..].starts_with('"') && !rest[..*place].ends_with('\\'))?;
            words = &rest[end + 1..];
            rest[1..end].replace("\\\"", "\"")
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            words = &rest[end..];
            rest[..end].to_owned()
        };
        match name {
            "terminal" => block.terminal = value.parse().ok()?,
            "exit" => block.exit = value.parse().ok()?,
            "until" => block.until = Some(value),
            "needs" => block.needs = Some(value),
            "not-run" => block.not_run = Some(value),
            _ => return None,
        }
    }
}

/// Lines outside of fences that look like something to type.
pub fn commands_outside_of_fences(text: &str) -> Vec<&str> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_inside = !is_inside;
        } else if !is_inside && line.starts_with("    ") {
            let command = line.trim_start().trim_start_matches("$ ");
            if command.starts_with("hospital-node ") || command.starts_with("aggregator ") {
                found.push(line);
            }
        }
    }
    found
}

#[test]
fn a_page_is_read_as_it_is_typed() {
    let text = "# A page\n\n```sh terminal=2 until=\"says \\\"yes\\\"\" exit=3\none\ntwo &\n```\n\nwords\n\n```text\nyes\n```\n\n```toml\na = 1\n```\n\
                \n    $ hospital-node doctor\n";
    let blocks = blocks(text);
    assert_eq!(blocks.len(), 1);
    let block = &blocks[0];
    assert_eq!((block.line, block.terminal, block.exit), (3, 2, 3));
    assert_eq!(block.until.as_deref(), Some("says \"yes\""));
    assert_eq!(
        (block.commands.len(), block.shown.as_slice()),
        (2, ["yes".to_owned()].as_slice())
    );
    assert_eq!(commands_outside_of_fences(text), ["    $ hospital-node doctor"]);
    assert!(self::block("untill=\"x\"").is_none() && self::block("exit=three").is_none());
}
