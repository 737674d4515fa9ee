//! The exit codes of both programs: a closed list, the same on both sides, each with its section in `docs/exit-codes.md`.

/// Done.
pub const DONE: u8 = 0;
/// Something broke or was not there; the last line on standard error says what, and what to do.
pub const FAULT: u8 = 1;
/// The command line is wrong. The parser of command lines gives this one.
pub const USAGE: u8 = 2;
/// The program did its work and the answer is no: refused, not verified, `doctor` found something bad; or what it was given (configuration,
/// files of a newer program) will not do, however often it is started.
pub const REFUSED: u8 = 3;
/// Nobody reads the output any more: 128 and the number of SIGPIPE, as a shell tells of a program that the signal ended.
pub const UNHEARD: u8 = 141;

/// All of them with their names.
pub const ALL: [(u8, &str); 5] = [
    (DONE, "done"),
    (FAULT, "fault"),
    (USAGE, "wrong usage"),
    (REFUSED, "refused or not verified"),
    (UNHEARD, "nobody reads on"),
];
