//! N113: the second reader of pictures, where `node.toml` asks for one.

use snowball_service::doctor::{Check, Finding};

use super::fault;
use crate::{
    config::{NodeConfig, SecondReaderWish},
    second_reader::Tesseract,
};

const CHECK: Check = Check::new("N113", "second reader");

pub fn look(config: &NodeConfig) -> Option<Finding> {
    if config.text.second_reader == SecondReaderWish::None {
        return None;
    }
    Some(match Tesseract::find() {
        Ok(reader) => match reader.open.as_deref() {
            None => CHECK.good(format!("{}; it keeps no network, no other file", reader.version)),
            Some(open) => CHECK.look(
                format!("{}; it keeps {open}", reader.version),
                "use a kernel with Landlock and seccomp (Linux 6.7 or later has all of it)",
            ),
        },
        Err(error) => CHECK.of(Err(fault(
            &error,
            "install Tesseract where the node's PATH finds it, or set second_reader = \"none\" under [text] in node.toml",
        ))),
    })
}
