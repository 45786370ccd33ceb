//! Adapter folders: PEFT's load here and come out the same, broken ones are refused.

use ia3_web::Error;
use ia3_web::adapter::{Adapter, AdapterConfig, Base, Loaded, Place, load, save};
use ia3_web::checkpoint::HostTensor;
use ia3_web::checkpoint::safetensors::read_all;
use ia3_web::session::Pooling;
use serde_json::{Value, json};

use super::support::{Files, base, code, folder, fresh, vector_key, with_config, with_tensors};

const SAVED: [(&str, Pooling); 7] = [
    ("list", Pooling::Pooler),
    ("regex", Pooling::Pooler),
    ("all-linear", Pooling::Pooler),
    ("doubled-modules-to-save", Pooling::Pooler),
    ("old-version", Pooling::Pooler),
    ("subfolder/support", Pooling::Pooler),
    ("feature-extraction", Pooling::Mean),
];

#[test]
fn peft_folders_load_and_save_to_the_same_bytes() {
    for (name, pooling) in SAVED {
        let base = base(pooling);
        let files = folder(&format!("peft-saved/{name}"));
        let Loaded { adapter, warnings } = load(&files, &base).unwrap();
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
        let again = save(&adapter, &base).unwrap();
        assert_eq!(again["adapter_model.safetensors"], files["adapter_model.safetensors"], "{name}");
        let config = |files: &Files| {
            let mut config: Value = serde_json::from_slice(&files["adapter_config.json"]).unwrap();
            config["exclude_modules"].take();
            config["peft_version"] = json!("0.21.2");
            for key in ["target_modules", "feedforward_modules", "modules_to_save"] {
                if let Some(names) = config[key].as_array_mut() {
                    names.sort_by_key(|name| name.to_string());
                    names.dedup();
                }
            }
            config
        };
        assert_eq!(config(&again), config(&files), "{name}");
    }
}

#[test]
fn a_half_precision_folder_is_read_to_its_exact_values() {
    let files = folder("peft-saved/fp16");
    let adapter = load(&files, &base(Pooling::Pooler)).unwrap().adapter;
    let stored = &read_all(&files["adapter_model.safetensors"]).unwrap()[&vector_key(1, "output.dense")];
    assert_eq!(adapter.vectors[&("bert.encoder.layer.1.output.dense".into(), Place::Input)], stored.data);
}

#[test]
fn a_subfolder_is_found() {
    let named =
        folder("peft-saved/subfolder/support").into_iter().map(|(name, data)| (format!("support/{name}"), data));
    let mut files: Files = named.collect();
    assert_eq!(load(&files, &base(Pooling::Pooler)).unwrap().warnings, Vec::<String>::new());
    files.extend(folder("peft-saved/list"));
    assert_eq!(code(load(&files, &base(Pooling::Pooler))), "bad-adapter");
}

#[test]
fn an_adapter_of_another_base_is_refused_by_name() {
    let base = base(Pooling::Pooler);
    let reason = |files: &Files| match load(files, &base) {
        Err(Error::AdapterMismatch { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let key = vector_key(0, "attention.self.value");
    let wider = with_tensors(folder("peft-saved/list"), |tensors| {
        tensors.insert(key.clone(), HostTensor::new(vec![1, 24], vec![1.0; 24]));
    });
    assert_eq!(reason(&wider), format!("'{key}' has shape [1, 24] where [24, 1] is needed"));
    let deeper = with_tensors(folder("peft-saved/list"), |tensors| {
        tensors.insert(vector_key(2, "attention.self.key"), HostTensor::new(vec![24, 1], vec![1.0; 24]));
    });
    assert!(reason(&deeper).contains("'bert.encoder.layer.2.attention.self.key'"));
    let head = with_tensors(folder("peft-saved/list"), |tensors| {
        tensors.insert("base_model.model.classifier.weight".into(), HostTensor::new(vec![3, 8], vec![1.0; 24]));
    });
    assert!(reason(&head).contains("[3, 8] where [3, 24]"));
}

#[test]
fn a_broken_folder_is_refused() {
    let base = base(Pooling::Pooler);
    let good = || folder("peft-saved/list");
    let without = |name: &str| {
        let mut files = good();
        files.remove(name).unwrap();
        files
    };
    let mut pickle = without("adapter_model.safetensors");
    pickle.insert("adapter_model.bin".into(), vec![]);
    let mut labels = good();
    labels.insert("labels.json".into(), br#"["a", "b"]"#.to_vec());
    let head = "base_model.model.classifier.";
    for files in [
        Files::new(),
        without("adapter_config.json"),
        without("adapter_model.safetensors"),
        pickle,
        labels,
        with_config(good(), |config| config["task_type"] = json!("TOKEN_CLS")),
        with_tensors(good(), |tensors| drop(tensors.remove(&format!("{head}bias")))),
        with_tensors(good(), |tensors| tensors.retain(|key, _| !key.contains("classifier"))),
        with_tensors(good(), |tensors| tensors.retain(|key, _| !key.contains("ia3_l"))),
        with_tensors(good(), |tensors| {
            let vector = tensors[&vector_key(0, "attention.self.value")].clone();
            tensors.insert(format!("{}.other", vector_key(0, "attention.self.value")), vector);
        }),
        with_tensors(with_config(good(), |config| config["modules_to_save"] = json!(["pooler"])), |tensors| {
            tensors.insert("base_model.model.bert.pooler.dense.bias".into(), HostTensor::new(vec![1], vec![1.0]));
        }),
    ] {
        assert_eq!(code(load(&files, &base)), "bad-adapter", "{:?}", files.keys());
    }
    let mut cut = good();
    cut.get_mut("adapter_model.safetensors").unwrap().pop();
    assert_eq!(code(load(&cut, &base)), "file-truncated");
}

#[test]
fn heads_travel_with_their_labels() {
    for pooling in [Pooling::Mean, Pooling::Pooler] {
        let base = base(pooling);
        let mut adapter = fresh(&base, AdapterConfig::default());
        adapter.head.as_mut().unwrap().labels = ["ja", "nein", "vielleicht"].map(String::from).to_vec();
        let files = save(&adapter, &base).unwrap();
        let expected: &[&str] = match pooling {
            Pooling::Mean => {
                &["adapter_config.json", "adapter_model.safetensors", "head.safetensors", "head_config.json"]
            }
            Pooling::Pooler => &["adapter_config.json", "adapter_model.safetensors", "labels.json"],
        };
        assert!(files.keys().eq(expected));
        let Loaded { adapter: again, warnings } = load(&files, &base).unwrap();
        assert_eq!((again.vectors, again.head, warnings), (adapter.vectors, adapter.head, vec![]));
    }
    let peft = load(&folder("peft-saved/list"), &base(Pooling::Pooler)).unwrap();
    assert_eq!(peft.adapter.head.unwrap().labels, ["red", "green", "blue"]);
    let fewer = Base { labels: vec!["yes".into(), "no".into()], ..base(Pooling::Pooler) };
    let peft = load(&folder("peft-saved/list"), &fewer).unwrap();
    assert_eq!(peft.adapter.head.unwrap().labels, ["LABEL_0", "LABEL_1", "LABEL_2"]);
}

#[test]
fn a_classifier_without_head_and_a_module_scaled_twice_cannot_be_saved() {
    let base = base(Pooling::Pooler);
    let mut adapter = fresh(&base, AdapterConfig::default());
    adapter.vectors.insert(("bert.encoder.layer.0.output.dense".into(), Place::Output), vec![1.0; 24]);
    assert_eq!(code(save(&adapter, &base)), "bad-adapter");
    let headless = Adapter { head: None, ..fresh(&base, AdapterConfig::default()) };
    assert_eq!(code(save(&headless, &base)), "no-head");
}
