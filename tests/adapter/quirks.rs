//! Folders that differ from what PEFT writes today and load all the same.

use ia3_web::adapter::{AdapterConfig, Loaded, Place, TaskType, load, save};
use ia3_web::session::Pooling;

use super::support::{base, folder, fresh, list, pattern, vector_key, with_tensors};

#[test]
fn keys_may_lack_the_prefix_or_carry_the_adapters_name() {
    let files = folder("peft-saved/list");
    let base = base(Pooling::Pooler);
    let expected = load(&files, &base).unwrap();
    let rename: [fn(&str) -> String; 3] = [
        |key| key.replace("base_model.model.", ""),
        |key| key.replace(".ia3_l", ".ia3_l.mine"),
        |key| key.replace("classifier.", "classifier.modules_to_save.mine."),
    ];
    for rename in rename {
        let renamed = with_tensors(files.clone(), |tensors| {
            *tensors = std::mem::take(tensors).into_iter().map(|(key, tensor)| (rename(&key), tensor)).collect();
        });
        assert_eq!(load(&renamed, &base).unwrap(), expected);
    }
}

#[test]
fn an_adapter_of_a_task_model_fits_the_bare_encoder_and_the_reverse() {
    let (mean, pooler) = (base(Pooling::Mean), base(Pooling::Pooler));
    for name in ["list", "regex", "all-linear"] {
        let files = folder(&format!("peft-saved/{name}"));
        let there = load(&files, &pooler).unwrap().adapter;
        let Loaded { adapter: here, warnings } = load(&files, &mean).unwrap();
        let bare =
            there.vectors.into_iter().map(|((module, place), vector)| ((module.replace("bert.", ""), place), vector));
        assert_eq!(here.vectors, bare.collect());
        assert_eq!(
            (here.head.is_none(), warnings.len(), here.config.task_type),
            (true, 1, Some(TaskType::FeatureExtraction))
        );
        assert_eq!(load(&save(&here, &mean).unwrap(), &mean).unwrap().adapter, here);
    }
    // A pattern that spells the prefix out matches in the file's naming, and is written as paths in the session's.
    let config = AdapterConfig {
        target_modules: pattern(r"bert\.encoder\.layer\.0\.attention\.self\.key"),
        feedforward_modules: list(&[]),
        ..Default::default()
    };
    let here = load(&save(&fresh(&pooler, config), &pooler).unwrap(), &mean).unwrap().adapter;
    assert_eq!(here.config.target_modules, list(&["encoder.layer.0.attention.self.key"]));

    let Loaded { adapter, warnings } = load(&folder("peft-saved/feature-extraction"), &pooler).unwrap();
    assert!(adapter.head.is_none() && warnings.is_empty());
    assert!(adapter.vectors.keys().all(|(module, _)| module.starts_with("bert.encoder")));
}

#[test]
fn a_missing_vector_is_ones_and_an_unexpected_key_is_told() {
    let files = with_tensors(folder("peft-saved/list"), |tensors| {
        let query = tensors.remove(&vector_key(0, "attention.self.query")).unwrap();
        tensors.insert(vector_key(0, "attention.self.key"), query.clone());
        tensors.insert("base_model.model.bert.something.weight".into(), query);
    });
    let Loaded { adapter, warnings } = load(&files, &base(Pooling::Pooler)).unwrap();
    assert_eq!(adapter.vectors[&("bert.encoder.layer.0.attention.self.query".into(), Place::Output)], vec![1.0; 24]);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
}
