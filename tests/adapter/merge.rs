//! Adapters folded into weights.

use ia3_web::Error;
use ia3_web::adapter::merge::fold;
use ia3_web::adapter::{AdapterConfig, Place};
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
