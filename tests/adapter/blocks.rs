//! Adapters on their way into blocks.

use ia3_web::adapter::blocks::{Folding, folding, through_gates, written};
use ia3_web::adapter::{Adapter, AdapterConfig, Base, Fresh, Place, Site};
use ia3_web::checkpoint::BlockType;
use ia3_web::session::Pooling;

use super::support::base;

/// A gated feed-forward network of two channels inside.
fn gated(names: &[&str]) -> Base {
    let mut base = base(Pooling::Mean);
    let site =
        |name: &&str| Site { module: format!("mlp.{name}"), in_features: 2, out_features: 2, ..base.sites[0].clone() };
    base.sites = names.iter().map(site).collect();
    base
}

fn key(name: &str, place: Place) -> (String, Place) {
    (format!("mlp.{name}"), place)
}

fn adapter(base: &Base, places: &[(usize, Place)]) -> Adapter {
    let mut adapter =
        Adapter::new(AdapterConfig::default(), &base.sites, places, Fresh { shift: true, ..Fresh::default() });
    for (at, (_, vector)) in adapter.vectors.iter_mut().enumerate() {
        *vector = vec![2.0 + at as f32, -0.5];
    }
    adapter.shifts.values_mut().for_each(|shift| *shift = vec![10.0, 100.0]);
    adapter
}

/// `(u ⊙ m + t) ⊙ l = u ⊙ (m l) + t l`; the shift of `down_proj` stays where it was.
#[test]
fn what_scales_the_input_of_down_proj_scales_the_output_of_up_proj() {
    let base = gated(&["gate_proj", "up_proj", "down_proj"]);
    let own = adapter(&base, &[(1, Place::Output), (2, Place::Input)]);
    let (m, l) = (&own.vectors[&key("up_proj", Place::Output)], &own.vectors[&key("down_proj", Place::Input)]);
    let moved = through_gates(&own, &base, |_| true);
    assert_eq!(moved.vectors.keys().collect::<Vec<_>>(), [&key("up_proj", Place::Output)]);
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<_>>();
    assert_eq!(moved.vectors[&key("up_proj", Place::Output)], product(m, l));
    assert_eq!(moved.shifts[&key("up_proj", Place::Output)], product(&[10.0, 100.0], l));
    assert_eq!(moved.shifts[&key("down_proj", Place::Input)], [10.0, 100.0]);
    // Floats have no scales in common, and without a gate there is an activation between the two layers.
    assert_eq!(through_gates(&own, &base, |_| false), own);
    let plain = gated(&["up_proj", "down_proj"]);
    let own = adapter(&plain, &[(1, Place::Input)]);
    assert_eq!(through_gates(&own, &plain, |_| true), own);
    let base = gated(&["gate_proj", "up_proj", "down_proj"]);
    let own = adapter(&base, &[(2, Place::Input)]);
    let l = own.vectors[&key("down_proj", Place::Input)].clone();
    assert_eq!(through_gates(&own, &base, |_| true).vectors, [(key("up_proj", Place::Output), l)].into());
}

#[test]
fn rows_change_scales_and_columns_elements() {
    let base = gated(&["up_proj", "down_proj", "gate_proj"]);
    let adapter = adapter(&base, &[(0, Place::Output), (1, Place::Input)]);
    let found = |name: &str, kind| folding(&adapter, &base, name, kind);
    assert_eq!(found("mlp.up_proj.weight", BlockType::Q4_K), Folding::Scales);
    assert_eq!(found("mlp.up_proj.weight", BlockType::F16), Folding::Elements);
    assert_eq!(found("mlp.up_proj.bias", BlockType::F32), Folding::Elements);
    assert_eq!(found("mlp.down_proj.weight", BlockType::Q8_0), Folding::Elements);
    assert_eq!(found("mlp.gate_proj.weight", BlockType::Q8_0), Folding::Nothing);
    assert_eq!(found("norm.weight", BlockType::F32), Folding::Nothing);
    let tensors = [
        ("mlp.up_proj.weight", BlockType::Q4_K, BlockType::Q4_K),
        ("mlp.down_proj.weight", BlockType::Q6_K, BlockType::Q6_K),
        ("norm.weight", BlockType::F32, BlockType::F32),
        ("turned.weight", BlockType::F32, BlockType::Q4_0),
    ];
    let all = |requantise| written("mine", &adapter, &base, tensors.into_iter(), requantise);
    let error = all(false).unwrap_err();
    assert_eq!(error.code(), "not-foldable");
    for words in ["'mine'", "mlp.down_proj", "requantise: true"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(!error.to_string().contains("up_proj"), "{error}");
    assert_eq!(all(true).unwrap(), [BlockType::Q4_K, BlockType::Q8_0, BlockType::F32, BlockType::Q4_0]);
}
