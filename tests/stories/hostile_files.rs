//! Three files in a hundred are broken or hostile: every one gets its reason, the rest come in, the counts are exact.

use std::collections::BTreeMap;

use snowball_phantoms::read_truth;
use snowball_protocol::intake::Disposition;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_files_are_counted_exactly_and_a_second_run_skips_everything() {
    let stage = Stage::set_with(1, 1, 400, 0.05, |_| {}).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let counts = stage.consortium.ingest(site).await.unwrap();
    let truth = read_truth(&stage.hospitals[0].truth).unwrap();
    let of = |disposition| truth.iter().filter(|one| one.disposition == disposition).count() as u64;
    assert_eq!(counts["files"].as_u64(), Some(truth.len() as u64));
    assert_eq!(counts["accepted"].as_u64(), Some(of(Disposition::Accepted)), "{counts}");
    assert_eq!(
        counts["quarantined"].as_u64(),
        Some(of(Disposition::Quarantined)),
        "{counts}"
    );
    assert_eq!(counts["rejected"].as_u64(), Some(of(Disposition::Rejected)), "{counts}");
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for reason in truth.iter().filter_map(|one| one.reason) {
        *reasons.entry(reason.code()).or_default() += 1;
    }
    assert!(reasons.len() >= 8, "many kinds of fault: {reasons:?}");
    let found: BTreeMap<String, u64> = serde_json::from_value(counts["reasons"].clone()).unwrap();
    assert_eq!(found, reasons);

    let again = stage.consortium.ingest(site).await.unwrap();
    assert_eq!(again["skipped"], counts["files"], "{again}");
    let verified = stage.consortium.node(site, &["ledger", "verify"]).await.unwrap();
    let excluded = of(Disposition::Quarantined) + of(Disposition::Rejected);
    assert_eq!(verified["kinds"]["image_excluded"].as_u64(), Some(excluded));
}
