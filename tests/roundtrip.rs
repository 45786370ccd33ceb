//! Adapters of every family as PEFT saved them (`tests/fixtures/roundtrip`): they load, answer as in PEFT, and are saved to the same bytes.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::adapter::{Loaded, load as load_adapter, save};
use ia3_web::models::{Model, Output};
use std::collections::BTreeMap;
use std::path::Path;
use support::families::{answers, task_of};
use support::run::forward;
use support::*;

/// Names in a folder of the fixtures.
fn names(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// `llama-linear-text-generation` is of the family `llama-linear`.
fn family_of(folder: &str) -> (String, &str) {
    let tasks = ["text-classification", "token-classification", "question-answering", "text2text-generation"];
    let tasks = tasks.into_iter().chain(["text-generation", "feature-extraction"]);
    let task = tasks.into_iter().find(|task| folder.ends_with(&format!("-{task}"))).unwrap();
    (folder.strip_suffix(&format!("-{task}")).unwrap().to_string(), task)
}

#[test]
fn adapters_of_every_family_go_both_ways() {
    for folder in names("roundtrip") {
        let (family, name) = family_of(&folder);
        let (task, labels) = task_of(name).unwrap();
        let read = |file: &str| (file.to_string(), bytes(&format!("roundtrip/{folder}/{file}")));
        let files = BTreeMap::from(["adapter_config.json", "adapter_model.safetensors"].map(read));
        let (model, base) = model(&format!("families/{family}"), task, labels);
        let Loaded { adapter, warnings } = load_adapter(&files, &base).unwrap();
        assert_eq!(warnings, Vec::<String>::new(), "{folder}");
        let again = save(&adapter, &base).unwrap();
        assert!(again["adapter_model.safetensors"] == files["adapter_model.safetensors"], "{folder}");
        let flags = |files: &BTreeMap<String, Vec<u8>>| {
            let config: serde_json::Value = serde_json::from_slice(&files["adapter_config.json"]).unwrap();
            ["task_type", "fan_in_fan_out", "modules_to_save"].map(|key| config[key].clone())
        };
        assert_eq!(flags(&again), flags(&files), "{folder}");

        let case = json(&format!("roundtrip/{folder}/inputs.json"));
        let expected = tensors(&format!("roundtrip/{folder}/expected.safetensors"));
        let output = if name == "feature-extraction" { Output::Embedding } else { Output::Logits };
        for (device, mut backend) in devices() {
            load(&mut backend, &model, &format!("families/{family}"));
            let found = forward(&mut backend, &model, &base, &adapter, &batch(&case, &model), output);
            answers(&format!("{device} {folder}"), task, found, &case, &expected);
        }
    }
}

/// Most files on the Hub have the field names of transformers 4.
#[test]
fn older_configurations_say_the_same() {
    let mut compared = 0;
    for family in names("families") {
        let file = |name: &str| format!("families/{family}/{name}");
        if !names(&format!("families/{family}")).contains(&"config-4.json".to_string()) {
            continue;
        }
        let task = if family.contains("t5") {
            ia3_web::adapter::TaskType::Seq2SeqLm
        } else {
            ia3_web::adapter::TaskType::CausalLm
        };
        let read = |name: &str| format!("{:?}", Model::from_json(&bytes(&file(name)), task).unwrap().family);
        assert_eq!(read("config-4.json"), read("config.json"), "{family}");
        compared += 1;
    }
    assert!(compared > 8);
}
