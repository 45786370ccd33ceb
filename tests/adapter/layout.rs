//! Adapters in flat buffers, and fresh ones.

use ia3_web::adapter::{Adapter, AdapterConfig, Fresh, Layout};
use ia3_web::session::Pooling;

use super::support::{base, fresh, multi};

#[test]
fn a_layout_packs_and_unpacks() {
    let base = base(Pooling::Pooler);
    let adapter = fresh(&base, AdapterConfig::default());
    let layout = Layout::new(&base.sites, &base.resolve(&adapter.config).unwrap(), &base.head_sizes());
    assert_eq!((layout.vectors.len(), layout.len), (8, 2 * (24 + 24 + 24 + 40) + 3 * 24 + 3));
    assert_eq!(layout.vectors[1].module, "bert.encoder.layer.0.attention.self.value");
    let packed = layout.pack(&adapter);
    let mut blank = fresh(&base, AdapterConfig::default());
    layout.unpack(&vec![0.0; layout.len], &mut blank);
    assert!(blank.vectors.values().flatten().all(|value| *value == 0.0));
    layout.unpack(&packed, &mut blank);
    assert_eq!(blank, adapter);
}

#[test]
fn a_union_of_layouts_holds_every_adapter() {
    let base = base(Pooling::Pooler);
    let (first, other) = (multi("first"), multi("other"));
    let union = Layout::union(&base.sites, &[&first, &other]);
    assert_eq!(union.vectors.len(), 12);
    let order =
        union.vectors.iter().map(|vector| base.sites.iter().position(|site| site.module == vector.module).unwrap());
    assert!(order.is_sorted());
    let packed = union.pack(&other);
    let query = &union.vectors[0];
    assert_eq!(packed[query.offset..][..24], other.vectors[&(query.module.clone(), query.place)]);
    let key = &union.vectors[1];
    assert_eq!(packed[key.offset..][..24], [1.0; 24]);
    assert_eq!(packed[union.head_start()..], [0.0; 75]);
}

#[test]
fn fresh_vectors_are_ones_or_drawn_by_seed() {
    let base = base(Pooling::Mean);
    let mut config = AdapterConfig::default();
    let places = base.settle(&mut config).unwrap();
    let ones = Adapter::new(config.clone(), &base.sites, &places, Fresh { seed: 1, ..Fresh::default() });
    assert!(ones.vectors.values().flatten().all(|value| *value == 1.0));
    config.init_ia3_weights = false;
    let drawn = |seed| Adapter::new(config.clone(), &base.sites, &places, Fresh { seed, ..Fresh::default() });
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    let values: Vec<f32> =
        (0..20).flat_map(|seed| drawn(seed).vectors.into_values().flatten().collect::<Vec<_>>()).collect();
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let variance = values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32;
    assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.1, "{mean} {variance}");
}
