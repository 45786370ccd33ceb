//! The tiny BERT of the fixtures.

use std::path::{Path, PathBuf};

use ia3_web::adapter::{Base, HeadModule, Site};
use ia3_web::session::Pooling;

/// Path of a fixture.
pub fn fixtures(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// Its linear layers.
pub fn base(pooling: Pooling) -> Base {
    let prefix = if pooling == Pooling::Pooler { "bert." } else { "" };
    let site = |module: String, in_features, out_features| {
        let head_size = module.contains(".self.").then_some(8);
        Site { module, in_features, out_features, conv1d: false, turned: false, bias: true, head_size }
    };
    let layer = |i: usize| {
        let path = |name: &str| format!("{prefix}encoder.layer.{i}.{name}");
        let square = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"];
        let mut sites: Vec<_> = square.map(|name| site(path(name), 24, 24)).into();
        sites.extend([site(path("intermediate.dense"), 24, 40), site(path("output.dense"), 40, 24)]);
        sites
    };
    let mut sites: Vec<_> = (0..2).flat_map(layer).collect();
    sites.push(site(format!("{prefix}pooler.dense"), 24, 24));
    let labels = ["red", "green", "blue"].map(String::from).to_vec();
    let head = vec![HeadModule::last("classifier", 24)];
    Base { model_type: "bert".into(), prefix: "bert.", sites, task: pooling.into(), head, labels }
}
