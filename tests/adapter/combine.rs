//! Sums and products of adapters.

use ia3_web::adapter::{Adapter, AdapterConfig, Missing, Place, product, weighted_sum};
use ia3_web::session::Pooling;

use super::support::{base, code, fresh, multi, tensors};

#[test]
fn a_weighted_sum_is_pefts() {
    let (first, same, other) = (multi("first"), multi("same"), multi("other"));
    let expected = tensors("multi/expected.safetensors");
    let sites = base(Pooling::Pooler).sites;
    for (partner, name) in [(&same, "weighted-same"), (&other, "weighted-other")] {
        let sum = weighted_sum(&[&first, partner], &[0.3, 0.6], Missing::Zero, &sites).unwrap();
        let golden = expected.iter().filter(|(key, _)| key.starts_with(name) && key.ends_with("ia3_l"));
        let golden: Vec<_> = golden.collect();
        assert_eq!(golden.len(), sum.vectors.len());
        for ((module, _), vector) in &sum.vectors {
            let (_, tensor) = golden.iter().find(|(key, _)| key.contains(&format!("{module}.ia3_l"))).unwrap();
            assert!(vector.iter().zip(&tensor.data).all(|(a, b)| (a - b).abs() < 1e-6), "{name} {module}");
        }
    }
}

#[test]
fn a_missing_vector_counts_as_ones_in_a_sum_unless_told_otherwise() {
    let (first, other) = (multi("first"), multi("other"));
    let base = base(Pooling::Pooler);
    let sum = weighted_sum(&[&first, &other], &[0.25, 0.75], Missing::One, &base.sites).unwrap();
    let key = ("bert.encoder.layer.0.attention.self.key".to_string(), Place::Output);
    let expected = first.vectors[&key].iter().map(|value| 0.25 * value + 0.75);
    assert_eq!(sum.vectors[&key], expected.collect::<Vec<_>>());
    assert_eq!(base.resolve(&sum.config).unwrap().len(), sum.vectors.len());
    assert!(sum.head.is_none());
    assert_eq!(code(weighted_sum(&[], &[], Missing::One, &base.sites)), "bad-option");
    assert_eq!(code(weighted_sum(&[&first], &[1.0, 2.0], Missing::One, &base.sites)), "bad-option");
    assert_eq!(code(weighted_sum(&[&first], &[f32::NAN], Missing::One, &base.sites)), "bad-option");
}

#[test]
fn heads_for_the_same_labels_are_summed_too() {
    let adapter = fresh(&base(Pooling::Pooler), AdapterConfig::default());
    let sum = weighted_sum(&[&adapter, &adapter], &[0.5, 0.5], Missing::One, &base(Pooling::Pooler).sites).unwrap();
    assert_eq!(sum, adapter);
}

#[test]
fn active_adapters_multiply_and_the_last_head_classifies() {
    let (first, other) = (multi("first"), multi("other"));
    let both = product(&[&first, &other], &base(Pooling::Pooler).sites);
    let vector = |adapter: &Adapter, name: &str| {
        adapter.vectors[&(format!("bert.encoder.layer.1.{name}"), Place::Output)].clone()
    };
    let (a, b) = (vector(&first, "attention.self.value"), vector(&other, "attention.self.value"));
    assert_eq!(vector(&both, "attention.self.value"), a.iter().zip(&b).map(|(a, b)| a * b).collect::<Vec<_>>());
    assert_eq!(vector(&both, "attention.self.query"), vector(&other, "attention.self.query"));
    assert_eq!(both.head, first.head);
    assert!(product(&[], &[]).vectors.is_empty());
}
