//! `snowball-trainer`: trains and evaluates one network on one frozen dataset, on this machine's CPU or GPU.
//!
//! The node starts it as a child process without network and with no key but its dataset's, writes one [`Job`](snowball_worker::job::Job) to its standard
//! input and reads answers from its standard output. It must never print anything else there, never open a socket, never
//! write a file, and never say a label or a pseudonym in an answer or a log. It does one job and ends.
//!
//! Start at [`work`]; [`train`] is the loop, [`passes`] one pass forward and back, [`loss`] what is learned from which label.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answers;
mod best;
mod contrast;
mod detail;
mod device;
mod evaluate;
mod examples;
mod explain;
mod failure;
mod loss;
mod making;
mod masks;
mod memory;
mod optimiser;
mod pairs;
mod passes;
mod places;
mod probe;
mod random;
mod reconstruction;
mod tell;
mod train;
mod work;

use std::process::ExitCode;

use snowball_recipes as recipe;

const USAGE: &str = "snowball-trainer: trains and evaluates on one frozen dataset, for a hospital node

usage: snowball-trainer work          do the one job that comes over standard input (the node does this)
       snowball-trainer probe         list the devices and try each with a small real computation
       snowball-trainer probe --json  the same for programs
       snowball-trainer --version
";

fn main() -> ExitCode {
    memory::keep();
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["work"] => work::work(),
        ["probe"] => probe::print(false),
        ["probe", "--json"] => probe::print(true),
        ["probe", probe::ADAPTERS] => probe::print_adapters(),
        ["probe", probe::HALVES, number] => probe::print_halves(number),
        ["--version" | "-V"] => {
            say(format_args!(
                "snowball-trainer {} ({})",
                env!("CARGO_PKG_VERSION"),
                device::BUILD
            ));
            ExitCode::SUCCESS
        }
        ["--help" | "-h" | "help"] => {
            say(USAGE.trim_end());
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Tells people a line. Where nobody reads on this ends as a program that SIGPIPE ended, and does not panic.
fn say(text: impl std::fmt::Display) {
    use std::io::Write as _;
    if writeln!(std::io::stdout().lock(), "{text}").is_err() {
        std::process::exit(141);
    }
}
