//! What node and aggregator say to each other, as it was recorded once: a node of the version before must still be understood, and
//! still understand.
//!
//! `tests/wire/v1.json` holds a whole study of one site. Its requests are sent to today's aggregator, whose answers must have the
//! recorded form; and today's types must read what is recorded and write the very same. A change that fails here breaks nodes that
//! are not upgraded yet. Where that is meant, raise `PROTOCOL_VERSION`, keep the old recording, and record a new one beside it:
//!
//!     SNOWBALL_RECORD_WIRE=1 cargo test --package snowball-tests --test stories wire

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use snowball_egress::{EgressError, client::Body};
use snowball_protocol::{
    PROTOCOL_VERSION, PROTOCOL_VERSION_MIN, Problem, ProblemCode, Sha256Digest, StudyPlan,
    authorities::SignedAuthorities,
    heads::{HeadsAnswer, HeadsOffer},
    outcome::SignedOutcome,
    record::RoundRecord,
    session::{Decline, Hello, HelloReply, JoinRequest, ModelReference, StudySummary, Task},
    update::{FinalEvaluation, UpdateHeader, UploadState},
};
use snowball_service::clock;

use crate::{
    peer::Peer,
    stage::{Stage, plan},
};

/// The update's bytes, all alike.
const STEP: f32 = 1e-3;
/// Values under these keys are compared as they stand: programs tell cases apart by them.
const WORDS: [&str; 8] = [
    "task", "phase", "code", "encoding", "kind", "round", "attempt", "protocol",
];

/// One request and what was answered.
#[derive(Clone, Serialize, Deserialize)]
struct Exchange {
    name: String,
    /// `GET`, `POST`, or `PATCH` with bytes.
    method: String,
    path: String,
    /// Of a PATCH: from where to where.
    request: Value,
    /// `problem` in it holds a refusal.
    answer: Value,
}

fn file(version: u16) -> PathBuf {
    PathBuf::from(format!("{}/wire/v{version}.json", env!("CARGO_MANIFEST_DIR")))
}

fn recorded(version: u16) -> Vec<Exchange> {
    let file = file(version);
    let text = std::fs::read(&file).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
    serde_json::from_slice(&text).unwrap()
}

/// One site against today's aggregator.
struct Talk {
    stage: Stage,
    peer: Peer,
    /// The id of the upload under way, which is another in each consortium.
    upload: String,
    said: Vec<Exchange>,
}

impl Talk {
    async fn begin(plan: &StudyPlan) -> Self {
        let stage = Stage::set_with(1, 1, 4, 0.0, |own| own.clone_from(plan)).await;
        let site = &stage.consortium.sites[0];
        stage.consortium.make_node(site, 1).await.unwrap();
        stage.consortium.enrol(site, &stage.hear).await.unwrap();
        let peer = Peer::of(site, stage.port, 0);
        stage.start_study().await;
        peer.until_open(&stage.plan).await;
        Self {
            stage,
            peer,
            upload: String::new(),
            said: Vec::new(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let parameters = snowball_layout::Layout::of(&self.stage.plan).parameters();
        snowball_layout::to_le_bytes(&vec![STEP; parameters])
    }

    /// Sends a request with what no recording can hold: the time, a signature, an id.
    async fn say(&mut self, name: &str, method: &str, path: &str, request: Value) -> Value {
        let mut sent = request.clone();
        if sent.get("clock").is_some() {
            sent["clock"] = clock::now().into();
        }
        if sent.get("site_head").is_some() {
            sent["site_head"] = self.peer.signed_head().into();
        }
        let address = path.replace("{upload}", &self.upload);
        let transport = &self.peer.transport;
        let answer = match method {
            "GET" => transport.get::<Value>(&address).await,
            "POST" => transport.post::<Value>(&address, &Body::of(&sent)).await,
            _ => {
                let place = |name: &str| usize::try_from(request[name].as_u64().unwrap()).unwrap();
                let piece = self.bytes()[place("from")..place("to")].to_vec();
                transport.patch::<Value>(&address, piece).await
            }
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(EgressError::Refused(mut problem)) => {
                // Drawn anew for each request, by this node and not by the aggregator.
                problem.request = None;
                json!({ "problem": problem })
            }
            Err(fault) => panic!("{name}: {fault}"),
        };
        if let Some(upload) = answer.get("upload").and_then(Value::as_str) {
            upload.clone_into(&mut self.upload);
        }
        self.said.push(Exchange {
            name: name.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            request: sent,
            answer: answer.clone(),
        });
        answer
    }

    /// A study from the first word to the last, with the refusals that a node must tell apart.
    async fn record(&mut self) {
        let hello = |min: u16, max: u16| {
            let clock = clock::now();
            json!({ "protocol_min": min, "protocol_max": max, "program_version": "0.1.0", "policy_digest": null, "clock": clock })
        };
        let plan = self.stage.plan.clone();
        let layout = snowball_layout::Layout::of(&plan);
        let policy = Sha256Digest::of(b"policy");
        self.say(
            "hello",
            "POST",
            "v1/hello",
            hello(PROTOCOL_VERSION_MIN, PROTOCOL_VERSION),
        )
        .await;
        self.say("hello of an old node", "POST", "v1/hello", hello(0, 0)).await;
        self.say("hello of a new node", "POST", "v1/hello", hello(99, 99)).await;
        self.say("authorities", "GET", "v1/authorities", Value::Null).await;
        self.say("heads", "POST", "v1/heads", json!({ "site_head": "" })).await;
        self.say("studies", "GET", "v1/studies", Value::Null).await;
        self.say("plan", "GET", "v1/studies/story/plan", Value::Null).await;
        let decline = json!({ "plan_digest": plan.digest(), "clause": "studies.allowed", "reason": "not approved" });
        self.say("decline", "POST", "v1/studies/story/decline", decline).await;
        let join = json!({
            "plan_digest": plan.digest(), "policy_digest": policy, "layout_digest": layout.digest(), "training_examples": 10,
        });
        self.say("join", "POST", "v1/studies/story/join", join).await;
        let train = self
            .say("task", "GET", "v1/studies/story/task?wait_seconds=20", Value::Null)
            .await;
        let model: ModelReference = serde_json::from_value(train["model"].clone()).unwrap();
        let (header, bytes) = Peer::update(&plan, &model, 1, &vec![STEP; layout.parameters()]);
        let mut wrong = header.clone();
        wrong.examples = 0;
        let updates = "v1/studies/story/rounds/1/updates";
        self.say("refused update", "POST", updates, serde_json::to_value(&wrong).unwrap())
            .await;
        self.say("update", "POST", updates, serde_json::to_value(&header).unwrap())
            .await;
        for (from, to) in [(0, 1000), (1000, bytes.len())] {
            let path = format!("v1/uploads/{{upload}}?offset={from}");
            self.say("chunk", "PATCH", &path, json!({ "from": from, "to": to }))
                .await;
        }
        self.say("update", "POST", updates, serde_json::to_value(&header).unwrap())
            .await;
        self.say("task", "GET", "v1/studies/story/task?wait_seconds=20", Value::Null)
            .await;
        self.say(
            "evaluation",
            "POST",
            "v1/studies/story/evaluation",
            json!({ "evaluation": null }),
        )
        .await;
        self.say("rounds", "GET", "v1/studies/story/rounds", Value::Null).await;
        self.say("outcome", "GET", "v1/studies/story/rounds/1/outcome", Value::Null)
            .await;
    }
}

/// The form of a value: its fields and their kinds, and the words by which programs tell cases apart.
fn form(value: &Value, key: &str) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), form(value, key)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.iter().map(|item| form(item, key)).collect(),
        _ if WORDS.contains(&key) => value.clone(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "yes or no".into(),
        Value::Null => Value::Null,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_one_version_behind_is_answered_as_it_was() {
    if std::env::var_os("SNOWBALL_RECORD_WIRE").is_some() {
        let mut talk = Talk::begin(&plan(1, 1)).await;
        talk.record().await;
        let text = serde_json::to_string_pretty(&talk.said).unwrap() + "\n";
        std::fs::create_dir_all(file(PROTOCOL_VERSION).parent().unwrap()).unwrap();
        std::fs::write(file(PROTOCOL_VERSION), text).unwrap();
        eprintln!("recorded {} exchanges", talk.said.len());
    }
    for version in PROTOCOL_VERSION_MIN..=PROTOCOL_VERSION {
        let recorded = recorded(version);
        let plan = recorded.iter().find(|exchange| exchange.name == "plan").unwrap();
        let mut talk = Talk::begin(&serde_json::from_value(plan.answer.clone()).unwrap()).await;
        for Exchange {
            name,
            method,
            path,
            request,
            answer,
        } in &recorded
        {
            let today = talk.say(name, method, path, request.clone()).await;
            assert_eq!(form(&today, ""), form(answer, ""), "version {version}, {name}: {today}");
        }
    }
}

/// Read by today's type and written again, it is the same.
fn lasts<T: DeserializeOwned + Serialize>(value: &Value) -> Result<(), String> {
    let read: T = serde_json::from_value(value.clone()).map_err(|fault| fault.to_string())?;
    let written = serde_json::to_value(&read).unwrap();
    if written == *value {
        Ok(())
    } else {
        Err(format!("is written as {written}"))
    }
}

type Lasts = fn(&Value) -> Result<(), String>;

#[test]
fn what_a_node_one_version_behind_says_and_hears_is_what_today_s_types_are() {
    let types: BTreeMap<&str, (Lasts, Lasts)> = [
        ("hello", (lasts::<Hello> as Lasts, lasts::<HelloReply> as Lasts)),
        ("hello of an old node", (lasts::<Hello>, lasts::<Value>)),
        ("hello of a new node", (lasts::<Hello>, lasts::<Value>)),
        ("authorities", (lasts::<Value>, lasts::<SignedAuthorities>)),
        ("heads", (lasts::<HeadsOffer>, lasts::<HeadsAnswer>)),
        ("studies", (lasts::<Value>, lasts::<Vec<StudySummary>>)),
        ("plan", (lasts::<Value>, lasts::<StudyPlan>)),
        ("decline", (lasts::<Decline>, lasts::<Value>)),
        ("join", (lasts::<JoinRequest>, lasts::<StudySummary>)),
        ("task", (lasts::<Value>, lasts::<Task>)),
        ("refused update", (lasts::<UpdateHeader>, lasts::<Value>)),
        ("update", (lasts::<UpdateHeader>, lasts::<UploadState>)),
        ("chunk", (lasts::<Value>, lasts::<UploadState>)),
        ("evaluation", (lasts::<FinalEvaluation>, lasts::<StudySummary>)),
        ("rounds", (lasts::<Value>, lasts::<Vec<RoundRecord>>)),
        ("outcome", (lasts::<Value>, lasts::<SignedOutcome>)),
    ]
    .into();
    for version in PROTOCOL_VERSION_MIN..=PROTOCOL_VERSION {
        let mut seen = BTreeMap::new();
        for exchange in recorded(version) {
            let name = exchange.name.as_str();
            let (request, answer) = types.get(name).unwrap_or_else(|| panic!("say which types {name} has"));
            request(&exchange.request).unwrap_or_else(|why| panic!("version {version}, {name}, as it is said: {why}"));
            match exchange.answer.get("problem") {
                Some(problem) => lasts::<Problem>(problem),
                None => answer(&exchange.answer),
            }
            .unwrap_or_else(|why| panic!("version {version}, {name}, as it is answered: {why}"));
            *seen.entry(name.to_owned()).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), types.len(), "not all was said: {seen:?}");
    }
}

#[test]
fn a_hello_between_versions_that_do_not_fit_says_who_must_upgrade() {
    for (name, who) in [
        ("hello of an old node", "the node must be upgraded"),
        ("hello of a new node", "the aggregator must be upgraded"),
    ] {
        let recorded = recorded(PROTOCOL_VERSION);
        let exchange = recorded.iter().find(|exchange| exchange.name == name).unwrap();
        let problem: Problem = serde_json::from_value(exchange.answer["problem"].clone()).unwrap();
        assert_eq!(problem.code, ProblemCode::VersionUnsupported);
        assert!(problem.reason.ends_with(who), "{problem}");
        assert_eq!(problem.remedy, ProblemCode::VersionUnsupported.remedy());
    }
}
