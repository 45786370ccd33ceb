//! What a merged GGUF says of its formats, and tensors that nothing reads.

use super::blocks::{SAFETENSORS, scores};
use super::merge::merged_as;
use super::merge_gguf::{GGUF, loaded, parse};
use crate::support::bytes;
use crate::support::session::*;
use ia3_web::backend::Backend;
use ia3_web::checkpoint::BlockType;
use ia3_web::checkpoint::gguf::Value;
use ia3_web::checkpoint::safetensors::read_all;
use ia3_web::session::{Dtype, MergeOptions, Pooling, Session, SessionOptions, Task};
use serde_json::json;

/// llama.cpp's `LLAMA_FTYPE_MOSTLY_Q4_K_S`.
const FILE_TYPE: u32 = 14;

/// `gguf/mixed.gguf` with a setting that tells its formats and a matrix of logits, in Q6_K.
fn described() -> Vec<u8> {
    let own = bytes("gguf/mixed.gguf");
    let head = parse(&own);
    let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let first = text(&head.tensors[0].name);
    let settings_end = own.windows(first.len()).position(|part| part == first).unwrap();
    let output = head.tensor("blk.0.attn_v.weight").unwrap();
    let rows = 67;
    let size = output.bytes as usize / output.shape[0] * rows;
    let mut file = own[..8].to_vec();
    file.extend((head.tensors.len() as u64 + 1).to_le_bytes());
    file.extend((head.metadata.names().count() as u64 + 1).to_le_bytes());
    file.extend([text("general.file_type"), 4_u32.to_le_bytes().into(), FILE_TYPE.to_le_bytes().into()].concat());
    file.extend(&own[24..settings_end]);
    let mut info = |name: &str, shape: &[usize], kind: BlockType, offset: u64| {
        file.extend(text(name));
        file.extend((shape.len() as u32).to_le_bytes());
        shape.iter().rev().for_each(|size| file.extend((*size as u64).to_le_bytes()));
        file.extend(kind.number().to_le_bytes());
        file.extend(offset.to_le_bytes());
    };
    for tensor in &head.tensors {
        info(&tensor.name, &tensor.shape, tensor.kind, tensor.start - head.head_bytes);
    }
    let end = (head.file_bytes - head.head_bytes).next_multiple_of(32);
    info("output.weight", &[rows, output.shape[1]], output.kind, end);
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(&own[head.head_bytes as usize..head.file_bytes as usize]);
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(&own[output.start as usize..][..size]);
    file.resize(file.len().next_multiple_of(32), 0);
    file
}

fn file_type(file: &[u8]) -> Option<Value<'_>> {
    parse(file).metadata.get("general.file_type")
}

/// Without logits their matrix is read by nothing.
#[test]
fn what_nothing_reads_is_kept_and_written_as_it_was() {
    let file = described();
    let mut session = loaded(&file, Task::FeatureExtraction);
    session.add_adapter("ones", Default::default()).unwrap();
    let merged = merged_as(&mut session, "ones", GGUF);
    assert_eq!(merged, [&file[..4], &3_u32.to_le_bytes(), &file[8..]].concat());
    // It counts as parameters, whose number no format changes, and where floats are written it is one of them.
    let count = session.trainable_parameters("ones").unwrap();
    let floats = read_all(&merged_as(&mut session, "ones", SAFETENSORS)).unwrap();
    assert_eq!(floats.values().map(|tensor| tensor.data.len()).sum::<usize>(), count.total - count.trainable);
    assert_eq!(floats.values().filter(|tensor| tensor.shape == [67, 256]).count(), 2);
}

/// A file whose formats are the old ones keeps its type; of others it becomes that of the format that most elements have.
#[test]
fn a_files_type_is_that_of_its_formats() {
    let file = described();
    let mut session = loaded(&file, Task::TextGeneration);
    session.add_adapter("a", serde_json::from_value(json!({"init": {"uniform": 0.5}})).unwrap()).unwrap();
    assert_eq!(file_type(&merged_as(&mut session, "a", GGUF)), Some(Value::Unsigned(FILE_TYPE.into())));
    for (dtype, number) in [(Dtype::F32, 0), (Dtype::F16, 1), (Dtype::Q8, 7), (Dtype::Q4, 3)] {
        let head = parse(&file);
        let told = SessionOptions {
            task: Task::TextGeneration,
            labels: Vec::new(),
            dtype: Some(dtype),
            ..options(Pooling::Mean)
        };
        let mut session = Session::new(&head.config().unwrap(), &head.metadata.tokenizer().unwrap(), told).unwrap();
        session.set_backend(Backend::cpu());
        load_file(&mut session, &file, 9973).unwrap();
        session.add_adapter("ones", Default::default()).unwrap();
        let merged = merged_as(&mut session, "ones", GGUF);
        assert_eq!(file_type(&merged), Some(Value::Unsigned(number)), "{dtype:?}");
        assert_eq!(scores(&mut loaded(&merged, Task::TextGeneration), &BASE), scores(&mut session, &BASE), "{dtype:?}");
    }
}

/// Formats that nothing is quantised to become Q8_0.
#[test]
fn what_is_quantised_again_changes_the_files_type() {
    let mut session = loaded(&described(), Task::TextGeneration);
    let told = json!({"targetModules": "all-linear", "feedforwardModules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], "init": {"uniform": 0.5}});
    session.add_adapter("a", serde_json::from_value(told).unwrap()).unwrap();
    let merged = merged_as(&mut session, "a", MergeOptions { requantise: true, ..GGUF });
    let q8 = parse(&merged).tensors.iter().filter(|tensor| tensor.kind == BlockType::Q8_0).count();
    assert_eq!((q8, file_type(&merged)), (6, Some(Value::Unsigned(7))));
}
