//! Adapters of every family as PEFT saved them (`tests/fixtures/roundtrip`): they load, answer as in PEFT, and are saved to the same bytes.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::adapter::{AdapterConfig, Loaded, Place, load as load_adapter, save};
use ia3_web::models::{Model, Output};
use std::collections::BTreeMap;
use std::path::Path;
use support::families::{answers, cases, task_of};
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

/// What adapters with the paper's targets, or in some layers alone, say in their `adapter_config.json`, and what PEFT finds by that.
#[test]
fn chosen_layers_are_those_that_peft_finds() {
    let (written, matched) = (json("targets/written.json"), json("targets/matched.json"));
    let mut found = serde_json::Map::new();
    for family in names("families") {
        let name = cases(&family).into_iter().next().unwrap();
        let (task, labels) = task_of(&name).unwrap();
        let (_, base) = model(&format!("families/{family}"), task, labels);
        for (targets, layers) in [("paper", None), ("paper", Some(1)), ("usual", Some(0))] {
            let mut config = match targets {
                "paper" => AdapterConfig::paper(&base.model_type).unwrap(),
                _ => AdapterConfig::usual(&base.model_type),
            };
            let what = match layers {
                None => format!("{family} {targets}"),
                Some(layer) => format!("{family} {targets} {layer}"),
            };
            layers.iter().for_each(|layer| base.restrict(&mut config, &[*layer]).unwrap());
            let places = base.settle(&mut config).unwrap();
            let fields: serde_json::Value = serde_json::from_slice(&config.to_json()).unwrap();
            let chosen =
                ["target_modules", "feedforward_modules", "exclude_modules"].map(|key| (key, fields[key].clone()));
            let modules = |wanted: Place| {
                let of = places.iter().filter(|(_, place)| *place == wanted);
                let mut modules: Vec<&str> = of.map(|(index, _)| base.sites[*index].module.as_str()).collect();
                modules.sort_unstable();
                serde_json::json!(modules)
            };
            assert!(!places.is_empty(), "{what}");
            assert_eq!(matched[&what]["outputs"], modules(Place::Output), "{what}");
            assert_eq!(matched[&what]["inputs"], modules(Place::Input), "{what}");
            let task_type = serde_json::to_value(task).unwrap();
            let entry = serde_json::json!({"family": family, "case": name, "task_type": task_type});
            let entry = entry.as_object().unwrap().clone().into_iter();
            found.insert(what, entry.chain(chosen.map(|(key, value)| (key.to_string(), value))).collect());
        }
    }
    assert_eq!(serde_json::Value::Object(found), written);
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
