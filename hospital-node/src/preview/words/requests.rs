//! What leaves without a body: the requests that only ask, and the lines in the head of each request.

/// What a node asks for without sending a body: the way, how often, and why. The line says who asks by its certificate.
pub const REQUESTS: [(&str, &str, &str); 7] = [
    (
        "v1/studies",
        "every few seconds while the service runs",
        "Which studies there are.",
    ),
    (
        "v1/authorities",
        "every ten seconds while the service runs",
        "Which certificate authorities the consortium trusts.",
    ),
    ("v1/studies/STUDY/plan", "once", "The study's plan."),
    (
        "v1/studies/STUDY/task?wait_seconds=25",
        "again and again while the study runs",
        "What to do next.",
    ),
    (
        "v1/studies/STUDY/models/ROUND",
        "once in each round, and once at the end",
        "The shared model. After a broken line it goes on where it stood (range).",
    ),
    (
        "v1/studies/STUDY/rounds/ROUND/outcome",
        "once after each round",
        "Which model the round made, signed by the aggregator.",
    ),
    (
        "v1/studies/STUDY/rounds/ROUND/receipt",
        "after the end of the study, once for each update whose receipt was never heard",
        "The receipt that the aggregator signed of this site's update.",
    ),
];

/// What stands in the head of each request beside its way.
pub const HEADERS: [&str; 7] = [
    "accept",
    "content-length",
    "content-type",
    "host",
    "range",
    "user-agent",
    snowball_protocol::RequestId::HEADER,
];
