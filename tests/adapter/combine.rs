//! Sums and products of adapters.

use ia3_web::adapter::{Adapter, AdapterConfig, Fresh, Init, Layout, Missing, Place, product, weighted_sum};
use ia3_web::session::Pooling;

use super::support::{base, code, fresh, multi, shifted, tensors};

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

/// The second adapter on what the first makes of a channel, and the weighted sum of what both make of it.
#[test]
fn shifts_are_composed_and_summed() {
    let base = base(Pooling::Pooler);
    let (first, mut other) = (shifted(&base, 1), shifted(&base, 2));
    let key = ("bert.encoder.layer.0.attention.self.key".to_string(), Place::Output);
    let missing = ("bert.encoder.layer.0.attention.self.value".to_string(), Place::Output);
    other.shifts.remove(&missing);
    let apply = |adapter: &Adapter, key: &(String, Place), h: f32, i: usize| {
        h * adapter.vectors[key][i] + adapter.shifts.get(key).map_or(0.0, |shift| shift[i])
    };
    let both = product(&[&first, &other], &base.sites);
    let sum = weighted_sum(&[&first, &other], &[0.25, 0.75], Missing::One, &base.sites).unwrap();
    for key in [&key, &missing] {
        for (i, h) in [(0, 1.0), (5, -0.5), (23, 2.0)] {
            let (one, two) = (apply(&first, key, h, i), apply(&other, key, h, i));
            assert!((apply(&both, key, h, i) - apply(&other, key, one, i)).abs() < 1e-5);
            assert!((apply(&sum, key, h, i) - (0.25 * one + 0.75 * two)).abs() < 1e-5);
        }
    }
}

#[test]
fn heads_keep_one_value_where_all_adapters_have_one() {
    let base = base(Pooling::Pooler);
    let made = |per_head, seed| {
        let mut config = AdapterConfig::default();
        let places = base.settle(&mut config).unwrap();
        Adapter::new(config, &base.sites, &places, Fresh { init: Init::Uniform(0.5), seed, per_head, shift: false })
    };
    let (a, b, channels) = (made(true, 1), made(true, 2), made(false, 3));
    let sum = |pair: &[&Adapter]| weighted_sum(pair, &[0.3, 0.7], Missing::One, &base.sites).unwrap();
    for (found, per_head) in
        [(sum(&[&a, &b]), true), (product(&[&a, &b], &base.sites), true), (sum(&[&a, &channels]), false)]
    {
        assert_eq!(found.per_head, per_head);
        assert_eq!(found.check_heads(&base.sites).is_ok(), per_head);
    }
    // Side by side in one batch every channel has an element, and both adapters are as they were.
    let union = Layout::union(&base.sites, &[&a, &channels]);
    assert_eq!(union, Layout::union(&base.sites, &[&channels]));
    for adapter in [&a, &channels] {
        let mut again = made(adapter.per_head, 9);
        union.unpack(&union.pack(adapter), &mut again);
        assert_eq!(again, *adapter);
    }
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
