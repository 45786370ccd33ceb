//! Adapters folded into weights.

use ia3_web::Error;
use ia3_web::adapter::merge::{fold, weight_for};
use ia3_web::adapter::{Adapter, AdapterConfig, Base, Fresh, Place, Site};
use ia3_web::checkpoint::HostTensor;
use ia3_web::session::Pooling;

use super::support::{base, code, fresh, multi, tensors};

#[test]
fn merging_gives_the_weights_that_peft_gives() {
    let base = base(Pooling::Pooler);
    let first = multi("first");
    let merged = tensors("multi/merged-first.safetensors");
    let mut folded = 0;
    for (name, mut tensor) in tensors("tiny-bert/model.safetensors") {
        folded += usize::from(fold("first", &first, &base, &name, &mut tensor, None).unwrap());
        if !name.starts_with("classifier") {
            assert!(tensor.data.iter().zip(&merged[&name].data).all(|(a, b)| (a - b).abs() < 1e-6), "{name}");
        }
    }
    // Weight and bias of key and value, weight alone of the two feed-forward targets, in both layers.
    assert_eq!(folded, 12);
}

/// `(W (x ⊙ l + s) + c) ⊙ m + t`, with a weight that is stored (out, in) and one stored (in, out).
#[test]
fn shifts_of_both_sides_are_folded() {
    for (conv1d, turned) in [(false, false), (true, false), (true, true)] {
        let mut base = base(Pooling::Mean);
        base.sites.truncate(1);
        base.sites[0] = Site { conv1d, turned, in_features: 2, out_features: 3, ..base.sites[0].clone() };
        let module = base.sites[0].module.clone();
        let key = |place| (module.clone(), place);
        let mut adapter = fresh_at(&base, &[(0, Place::Output), (0, Place::Input)]);
        adapter.vectors = [(key(Place::Input), vec![2.0, -1.0]), (key(Place::Output), vec![1.0, 0.5, -3.0])].into();
        adapter.shifts = [(key(Place::Input), vec![0.25, 1.0]), (key(Place::Output), vec![0.0, 1.0, 2.0])].into();
        let w = |row: usize, column: usize| (2 * row + column) as f32 - 1.5;
        let in_first = conv1d && !turned;
        let (shape, data) = match in_first {
            false => (vec![3, 2], (0..6).map(|at| w(at / 2, at % 2)).collect()),
            true => (vec![2, 3], (0..6).map(|at| w(at % 3, at / 3)).collect()),
        };
        let (mut weight, c) = (HostTensor::new(shape, data), [0.5, -1.0, 0.0]);
        let mut bias = HostTensor::new(vec![3], c.to_vec());
        let (weights, biases) = (format!("{module}.weight"), format!("{module}.bias"));
        assert_eq!(weight_for(&adapter, &base, &biases), Some(weights.clone()));
        assert_eq!(weight_for(&adapter, &base, &weights), None);
        assert_eq!(fold("a", &adapter, &base, &biases, &mut bias, Some(&weight)), Ok(true));
        assert_eq!(fold("a", &adapter, &base, &weights, &mut weight, None), Ok(true));
        for x in [[1.0, 0.0], [0.0, 1.0], [3.0, -2.0]] {
            for row in 0..3 {
                let (l, s) = (&adapter.vectors[&key(Place::Input)], &adapter.shifts[&key(Place::Input)]);
                let (m, t) = (&adapter.vectors[&key(Place::Output)], &adapter.shifts[&key(Place::Output)]);
                let inner = |at: usize| w(row, at) * (x[at] * l[at] + s[at]);
                let expected: f32 = (inner(0) + inner(1) + c[row]) * m[row] + t[row];
                let at = |column: usize| if in_first { column * 3 + row } else { row * 2 + column };
                let found = weight.data[at(0)] * x[0] + weight.data[at(1)] * x[1] + bias.data[row];
                assert!((found - expected).abs() < 1e-5, "{conv1d} {turned} {x:?} {row}: {found} {expected}");
            }
        }
    }
}

/// An adapter at these places.
fn fresh_at(base: &Base, places: &[(usize, Place)]) -> Adapter {
    Adapter::new(AdapterConfig::default(), &base.sites, places, Fresh { shift: true, ..Fresh::default() })
}

#[test]
fn merging_refuses_what_is_not_finite_or_of_another_shape() {
    let base = base(Pooling::Mean);
    let mut adapter = fresh(&base, AdapterConfig::default());
    let name = "bert.encoder.layer.0.attention.self.key.weight";
    let mut weight = HostTensor::new(vec![24, 24], vec![1.0; 576]);
    assert_eq!(fold("a", &adapter, &base, name, &mut weight, None), Ok(true));
    let mut vector = HostTensor::new(vec![24], vec![1.0; 24]);
    assert_eq!(code(fold("a", &adapter, &base, name, &mut vector, None)), "tensor-shape");
    assert_eq!(fold("a", &adapter, &base, "embeddings.LayerNorm.weight", &mut weight, None), Ok(false));
    adapter.vectors.get_mut(&("encoder.layer.0.attention.self.key".into(), Place::Output)).unwrap()[3] = f32::NAN;
    let before = weight.clone();
    match fold("mine", &adapter, &base, name, &mut weight, None) {
        Err(Error::BadAdapter { reason }) => assert!(reason.contains("'mine'") && reason.contains(name)),
        other => panic!("{other:?}"),
    }
    assert_eq!(weight, before);
}
