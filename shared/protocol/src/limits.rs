//! Every bound on what comes from outside, in one file.

/// Longest name of a site, study or purpose, in characters.
pub const NAME_CHARACTERS_MAX: usize = 63;
/// Largest JSON body of any request or answer except those named below, in bytes.
pub const JSON_BYTES_MAX: usize = 256 * 1024;
/// Largest study plan as canonical JSON or TOML, in bytes.
pub const PLAN_BYTES_MAX: usize = 128 * 1024;
/// Largest policy file, in bytes.
pub const POLICY_BYTES_MAX: usize = 128 * 1024;
/// Requests for enrolment that one address may make in a minute, and so many at once.
pub const ENROLMENT_REQUESTS_PER_MINUTE_MAX: u32 = 60;
/// The same for all addresses together.
pub const ENROLMENT_REQUESTS_PER_MINUTE_TOTAL_MAX: u32 = 600;
/// Requests of one site that may be under way at once.
pub const SITE_REQUESTS_AT_ONCE_MAX: usize = 64;
/// Requests that one site may make in a second, over the seconds; twice as many at once. A document that is sent counts fourfold.
pub const SITE_REQUESTS_PER_SECOND_MAX: u32 = 200;
/// Largest certificate signing request in PEM, in bytes.
pub const CSR_BYTES_MAX: usize = 16 * 1024;
/// Largest piece of an upload in one request, in bytes.
pub const UPLOAD_CHUNK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most parameters of a network that a study may ask for.
pub const PARAMETERS_MAX: u64 = 400_000_000;
/// Most ancestors that a plan names of the weights that it begins from.
pub const START_PARENTS_MAX: usize = 16;
/// Most stages of a trunk that are taken from them.
pub const START_STAGES_MAX: usize = 64;
/// Longest name of a file of weights, in characters.
pub const START_NAME_CHARACTERS_MAX: usize = 200;
/// Largest size of a number in them: above it no training could mend what they do.
pub const START_NUMBER_MAX: f32 = 1e6;
/// Most tensors of one network.
pub const TENSORS_MAX: usize = 4_096;
/// Most heads in a plan.
pub const HEADS_MAX: usize = 32;
/// Most classes of one head.
pub const CLASSES_MAX: usize = 256;
/// Most cells of the confusion matrices of all heads, where they are sent: they must fit into a body beside all else.
pub const CONFUSION_CELLS_MAX: usize = 10_000;
/// Most classes of one mask.
pub const MASK_CLASSES_MAX: u8 = 15;
/// By how many rounds an update may be late: so many older models are remembered with every change of a study.
pub const LATE_ROUNDS_MAX: u32 = 16;
/// Most rounds of a study.
pub const ROUNDS_MAX: u32 = 100_000;
/// Most sites in a study.
pub const SITES_MAX: u32 = 10_000;
/// Largest side of the network's square input, in pixels.
pub const INPUT_SIDE_MAX: u32 = 2_048;
/// Most radiographs a step where each is compared with all.
pub const CONTRASTED_MAX: u32 = 1_024;
/// Most examples one update may claim as its weight.
pub const EXAMPLES_MAX: u64 = 1 << 24;
/// Longest wait that a long poll may ask for, in seconds.
pub const LONG_POLL_SECONDS_MAX: u32 = 60;
/// No byte moved for this long ends a transfer, in seconds.
pub const IDLE_SECONDS_MAX: u64 = 120;
/// How far the clocks of a node and the aggregator may differ, in seconds.
pub const CLOCK_SKEW_SECONDS_MAX: i64 = 300;
/// The heartbeat, in seconds: so often a node asks which CAs it may trust; and within this time a revocation, or the end of a
/// certificate, reaches everything that its site has open at the aggregator.
pub const HEARTBEAT_SECONDS: u64 = 10;
/// Most CAs that a consortium trusts at once: the one in use and the next, and room for a rotation that overtakes another.
pub const AUTHORITIES_MAX: usize = 4;
