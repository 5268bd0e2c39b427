//! The classical learners of `ai.onnx.ml` and the encoders around them.

use rustc_hash::FxHashMap;

use super::{Call, InferFn, Op, Result, Role, Stop, elements, input_elements, invalid, output, per_input, per_output};
use crate::dim::Dim;
use crate::tensor::{CONTENTS_LIMIT, DType, Tensor, Value};

const KERNEL: &str = "1 per support vector and feature, and 1 per coefficient (a distance counts as a product)";
const TREE: &str = "1 per comparison on the longest path of each tree and 1 per tree and output to add up, at most";

pub(super) const OPS: &[Op] = &[
    ml("ArrayFeatureExtractor", array_feature_extractor)
        .roles(&[(1, Role::Setting)])
        .reads(|_, outputs, input| Ok(if input == 0 { Some(elements(outputs, 0)?) } else { None })),
    ml("Binarizer", super::like_input).flops("1 per output element: comparison", per_output::<1>),
    ml("CastMap", cast_map),
    ml("CategoryMapper", |call| same_shape(call, opposite(call))),
    ml("DictVectorizer", dict_vectorizer),
    ml("FeatureVectorizer", feature_vectorizer),
    ml("Imputer", super::like_input).flops("1 per output element: comparison", per_output::<1>),
    ml("LabelEncoder", label_encoder),
    ml("LinearClassifier", linear_classifier)
        .macs("1 per example and coefficient", |call, _| Ok(rows(call)? * floats(call, "coefficients")?))
        .flops(
            "1 per example and intercept: addition; then 5 per score where they are transformed",
            |call, outputs| Ok(rows(call)? * floats(call, "intercepts")? + transformed(call, outputs, 1)?),
        ),
    ml("LinearRegressor", |call| {
        output(DType::F32, vec![rows(call)?, Dim::from(call.attributes.int_or("targets", 1)?)])
    })
    .macs("1 per example and coefficient", |call, _| Ok(rows(call)? * floats(call, "coefficients")?))
    .flops("1 per example and intercept: addition; then 5 per score where they are transformed", |call, outputs| {
        Ok(rows(call)? * floats(call, "intercepts")? + transformed(call, outputs, 0)?)
    }),
    ml("Normalizer", |call| same_shape(call, DType::F32))
        .flops("3 per element: absolute value or square, sum or maximum, division", per_input::<3>),
    ml("OneHotEncoder", one_hot_encoder).flops("1 per output element: comparison", per_output::<1>),
    ml("SVMClassifier", svm_classifier)
        .macs(KERNEL, svm_products)
        .flops(SVM, |call, outputs| Ok(svm_flops(call)? + transformed(call, outputs, 1)?)),
    ml("SVMRegressor", |call| output(DType::F32, vec![rows(call)?, Dim::ONE]))
        .macs(KERNEL, svm_products)
        .flops(SVM, |call, outputs| Ok(svm_flops(call)? + transformed(call, outputs, 0)?)),
    ml("Scaler", |call| same_shape(call, DType::F32)).flops("2 per element: shift and scale", per_output::<2>),
    ml("TreeEnsemble", |call| {
        output(call.dtype(0), vec![rows(call)?, Dim::from(call.attributes.int_or("n_targets", 1)?)])
    })
    .flops(TREE, |call, outputs| trees(call, outputs, 0)),
    ml("TreeEnsembleClassifier", tree_classifier).flops(TREE, |call, outputs| trees(call, outputs, 1)),
    ml("TreeEnsembleRegressor", |call| {
        output(DType::F32, vec![rows(call)?, Dim::from(call.attributes.int_or("n_targets", 1)?)])
    })
    .flops(TREE, |call, outputs| trees(call, outputs, 0)),
    ml("ZipMap", zip_map),
];

const SVM: &str =
    "per support vector its kernel (RBF 2, POLY and SIGMOID 3), 1 per offset; 5 per score where they are transformed";

const fn ml(name: &'static str, infer: InferFn) -> Op {
    Op::new(name, infer).domain("ai.onnx.ml")
}

/// Number of examples: the first of two axes; a vector is one example.
fn rows(call: &Call) -> Result<Dim> {
    match call.shape(0)? {
        [rows, _] => Ok(rows.clone()),
        [_] => Ok(Dim::ONE),
        shape => invalid(format!("the input needs rank 1 or 2, it has {}", shape.len())),
    }
}

fn features(call: &Call) -> Result<Dim> {
    Ok(call.shape(0)?.last().cloned().unwrap_or(Dim::ONE))
}

fn floats(call: &Call, name: &str) -> Result<i64> {
    Ok(call.attributes.floats(name)?.map_or(0, <[f32]>::len) as i64)
}

fn same_shape(call: &Call, dtype: DType) -> Result<Vec<Value>> {
    Ok(vec![Tensor { dtype, shape: call.tensor(0)?.shape.clone(), contents: None }.into()])
}

/// Integers for strings, strings for integers.
fn opposite(call: &Call) -> DType {
    match call.dtype(0) {
        DType::String => DType::I64,
        DType::Undefined => DType::Undefined,
        _ => DType::String,
    }
}

/// The values at these places of the last axis; a vector gives a row.
fn array_feature_extractor(call: &Call) -> Result<Vec<Value>> {
    let count = input_elements(call, 1)?;
    let shape = match call.shape(0)? {
        [] => return invalid("the input must have an axis to select from"),
        [_] => vec![Dim::ONE, count],
        [head @ .., _] => head.iter().cloned().chain([count]).collect(),
    };
    output(call.dtype(0), shape)
}

fn map_input<'a>(call: &Call<'a>) -> Result<Option<(DType, &'a Value)>> {
    match call.value(0)? {
        Value::Map { key, element } => Ok(Some((*key, element))),
        Value::Unknown => Ok(None),
        _ => invalid("the input must be a map"),
    }
}

fn cast_map(call: &Call) -> Result<Vec<Value>> {
    map_input(call)?;
    let dtype = match call.attributes.string("cast_to")?.unwrap_or("TO_FLOAT") {
        "TO_FLOAT" => DType::F32,
        "TO_STRING" => DType::String,
        "TO_INT64" => DType::I64,
        other => return invalid(format!("`cast_to` is {other}, not TO_FLOAT, TO_STRING or TO_INT64")),
    };
    let entries = match call.attributes.string("map_form")?.unwrap_or("DENSE") {
        "SPARSE" => Dim::from(call.attributes.int_or("max_map", 1)?),
        _ => call.decided(""),
    };
    output(dtype, vec![Dim::ONE, entries])
}

/// A place for every word of the vocabulary.
fn dict_vectorizer(call: &Call) -> Result<Vec<Value>> {
    let words = call.attributes.strings("string_vocabulary")?.map(|words| words.len());
    let numbers = call.attributes.ints("int64_vocabulary")?.map(<[i64]>::len);
    let Some(size) = words.filter(|&size| size > 0).or(numbers) else { return invalid("it has no vocabulary") };
    let dtype = match map_input(call)? {
        Some((_, Value::Tensor(value))) => value.dtype,
        _ => DType::Undefined,
    };
    output(dtype, vec![Dim::from(size)])
}

fn feature_vectorizer(call: &Call) -> Result<Vec<Value>> {
    let given = call.attributes.ints("inputdimensions")?;
    let widths = (0..call.inputs.len()).map(|input| match call.shape(input)? {
        [width] | [_, width] => Ok(width.clone()),
        shape => invalid(format!("input {input} needs rank 1 or 2, it has {}", shape.len())),
    });
    let width = match given {
        Some(given) => given.iter().map(|&width| Dim::from(width)).sum(),
        None => widths.collect::<Result<Vec<_>>>()?.iter().sum(),
    };
    output(DType::F32, vec![rows(call)?, width])
}

/// The type of its values, in whichever attribute they stand; strings for integers and back in the first version.
fn label_encoder(call: &Call) -> Result<Vec<Value>> {
    let attributes = call.attributes;
    let dtype = if let Some(values) = attributes.tensor("values_tensor")? {
        DType::from_code(values.data_type)
    } else if attributes.has("values_strings") {
        DType::String
    } else if attributes.has("values_int64s") {
        DType::I64
    } else if attributes.has("values_floats") {
        DType::F32
    } else if attributes.has("classes_strings") || call.opset < 2 {
        opposite(call)
    } else {
        return invalid("none of its value attributes is set");
    };
    same_shape(call, dtype)
}

/// Type and number of the classes, from the attribute with strings or the one with integers.
fn classes(call: &Call, ints: &str) -> Result<(DType, i64)> {
    let strings = call.attributes.strings("classlabels_strings")?.map_or(0, |labels| labels.len());
    let numbers = call.attributes.ints(ints)?.map_or(0, <[i64]>::len);
    Ok(if strings > 0 { (DType::String, strings as i64) } else { (DType::I64, numbers as i64) })
}

/// A class and the scores of an example.
fn classified(call: &Call, dtype: DType, scores: Dim) -> Result<Vec<Value>> {
    let rows = rows(call)?;
    Ok(vec![Tensor::new(dtype, vec![rows.clone()]).into(), Tensor::new(DType::F32, vec![rows, scores]).into()])
}

fn linear_classifier(call: &Call) -> Result<Vec<Value>> {
    let (dtype, classes) = classes(call, "classlabels_ints")?;
    let width = features(call)?;
    let coefficients = Dim::from(floats(call, "coefficients")?);
    let scores = match coefficients.exact_div(&width) {
        Some(scores) => scores,
        None if width.as_int().is_some() => {
            return invalid(format!("{coefficients} coefficients cannot be shared out among {width} features"));
        }
        None => Dim::from(floats(call, "intercepts")?.max(1)),
    };
    // One score of two classes stands for both.
    let scores = if scores == 1 && classes == 2 { Dim::from(2i64) } else { scores };
    classified(call, dtype, scores)
}

/// 5 per score where `post_transform` is set: the most that one of them does (softmax).
fn transformed(call: &Call, outputs: &[Value], scores: usize) -> Result<Dim> {
    // TreeEnsemble (version 5) numbers the transforms; the operators before it name them.
    if let Ok(number) = call.attributes.int("post_transform") {
        return Ok(elements(outputs, scores)? * if number.unwrap_or(0) == 0 { 0 } else { 5 });
    }
    match call.attributes.string("post_transform")?.unwrap_or("NONE") {
        "NONE" => Ok(Dim::ZERO),
        _ => Ok(elements(outputs, scores)? * 5),
    }
}

fn one_hot_encoder(call: &Call) -> Result<Vec<Value>> {
    let strings = call.attributes.strings("cats_strings")?.map_or(0, |cats| cats.len());
    let numbers = call.attributes.ints("cats_int64s")?.map_or(0, <[i64]>::len);
    let count = if strings > 0 { strings } else { numbers };
    if count == 0 {
        return invalid("it has no categories");
    }
    output(DType::F32, call.shape(0)?.iter().cloned().chain([Dim::from(count)]).collect())
}

/// Support vectors: 0 where the machine is linear.
fn supports(call: &Call) -> Result<i64> {
    match call.attributes.ints("vectors_per_class")? {
        Some(list) => Ok(list.iter().fold(0i64, |sum, count| sum.saturating_add(*count)).max(0)),
        None => Ok(call.attributes.int_or("n_supports", 0)?.max(0)),
    }
}

/// A score per class; per pair of classes where there are support vectors, more than two classes and no probabilities.
fn svm_classifier(call: &Call) -> Result<Vec<Value>> {
    let (dtype, classes) = classes(call, "classlabels_ints")?;
    let classes = classes.max(1);
    let pairs = supports(call)? > 0 && classes > 2 && floats(call, "prob_a")? == 0;
    let scores = Dim::from(classes);
    classified(call, dtype, if pairs { (&scores * (&scores - 1)).floor_div(&Dim::from(2i64)) } else { scores })
}

fn svm_products(call: &Call, _: &[Value]) -> Result<Dim> {
    let vectors = if supports(call)? > 0 { floats(call, "support_vectors")? } else { 0 };
    Ok(rows(call)? * (Dim::from(vectors) + floats(call, "coefficients")?))
}

fn svm_flops(call: &Call) -> Result<Dim> {
    let kernel = match call.attributes.string("kernel_type")?.unwrap_or("LINEAR") {
        "LINEAR" => 0i64,
        "RBF" => 2,
        "POLY" | "SIGMOID" => 3,
        other => return invalid(format!("`kernel_type` is {other}, not LINEAR, POLY, RBF or SIGMOID")),
    };
    Ok(rows(call)? * (Dim::from(supports(call)?) * kernel + floats(call, "rho")?))
}

/// A score per class; two of a single weighted class, which stands for both.
fn tree_classifier(call: &Call) -> Result<Vec<Value>> {
    let (dtype, classes) = classes(call, "classlabels_int64s")?;
    if classes == 0 {
        return Err(Stop::Invalid("it has no class labels".to_string()));
    }
    classified(call, dtype, Dim::from(classes))
}

fn trees(call: &Call, outputs: &[Value], scores: usize) -> Result<Dim> {
    let forest = if call.attributes.has("tree_roots") { flat_forest(call)? } else { listed_forest(call)? };
    let added = elements(outputs, scores)? * forest.trees;
    Ok(rows(call)? * forest.comparisons + added + transformed(call, outputs, scores)?)
}

/// The trees of an ensemble, and the comparisons on the longest path of each, added up.
#[derive(Default)]
struct Forest {
    trees: i64,
    comparisons: i64,
}

impl Forest {
    /// Follows the children of each root, `None` for a leaf, each node once at most.
    fn grown(roots: &[usize], nodes: usize, children: impl Fn(usize) -> Option<[Option<usize>; 2]>) -> Forest {
        let mut seen = vec![false; nodes];
        let mut forest = Forest::default();
        for &root in roots {
            forest.trees += 1;
            let mut level = vec![root];
            while !level.is_empty() {
                let mut next = Vec::new();
                let mut splits = false;
                for node in level {
                    if let Some(children) = children(node) {
                        splits = true;
                        let new = children.into_iter().flatten();
                        next.extend(
                            new.filter(|&child| !seen.get_mut(child).is_none_or(|seen| std::mem::replace(seen, true))),
                        );
                    }
                }
                forest.comparisons += i64::from(splits);
                level = next;
            }
        }
        forest
    }
}

/// Nodes by tree and number, each with a mode (opsets 1 to 4).
fn listed_forest(call: &Call) -> Result<Forest> {
    let list = |name: &str| Ok::<_, Stop>(call.attributes.ints(name)?.unwrap_or_default());
    let (ids, tree_ids) = (list("nodes_nodeids")?, list("nodes_treeids")?);
    let (yes, no) = (list("nodes_truenodeids")?, list("nodes_falsenodeids")?);
    let modes = call.attributes.strings("nodes_modes")?.unwrap_or_default();
    if [tree_ids.len(), yes.len(), no.len(), modes.len()].iter().any(|&count| count != ids.len()) {
        return invalid("its node attributes differ in their lengths");
    }
    let found: FxHashMap<(i64, i64), usize> =
        tree_ids.iter().zip(ids).enumerate().map(|(node, (&tree, &id))| ((tree, id), node)).collect();
    let children = |node: usize| {
        let tree = *tree_ids.get(node)?;
        let child = |list: &[i64]| found.get(&(tree, *list.get(node)?)).copied();
        modes.get(node).filter(|mode| **mode != "LEAF").map(|_| [child(yes), child(no)])
    };
    let mut root = vec![true; ids.len()];
    for child in (0..ids.len()).filter_map(children).flatten().flatten() {
        root[child] = false;
    }
    let roots: Vec<usize> = (0..ids.len()).filter(|&node| root[node]).collect();
    Ok(Forest::grown(&roots, ids.len(), children))
}

/// Inner nodes by position, leaves apart (opset 5).
fn flat_forest(call: &Call) -> Result<Forest> {
    let list = |name: &str| Ok::<_, Stop>(call.attributes.ints(name)?.unwrap_or_default());
    let (yes, no) = (list("nodes_truenodeids")?, list("nodes_falsenodeids")?);
    let (yes_leaf, no_leaf) = (list("nodes_trueleafs")?, list("nodes_falseleafs")?);
    let position = |at: i64| usize::try_from(at).ok().filter(|&at| at < yes.len());
    let child = |node: usize, list: &[i64], leaf: &[i64]| match leaf.get(node) {
        Some(0) => list.get(node).copied().and_then(position),
        _ => None,
    };
    let children = |node: usize| Some([child(node, yes, yes_leaf), child(node, no, no_leaf)]);
    let roots: Vec<usize> = list("tree_roots")?.iter().copied().filter_map(position).collect();
    Ok(Forest::grown(&roots, yes.len(), children))
}

/// A map from class to score for each example.
fn zip_map(call: &Call) -> Result<Vec<Value>> {
    let (key, count) = classes(call, "classlabels_int64s")?;
    if let Ok([_, scores]) = call.shape(0)
        && count > 0
        && scores.known_eq(&Dim::from(count)) == Some(false)
    {
        return invalid(format!("it has {count} class labels for {scores} scores"));
    }
    let map = Value::Map { key, element: Box::new(Tensor::new(DType::F32, Vec::new()).into()) };
    let rows =
        call.shape(0).ok().and_then(|_| rows(call).ok()?.as_int()).filter(|rows| (0..=CONTENTS_LIMIT).contains(rows));
    Ok(vec![Value::Sequence { items: rows.map(|rows| vec![map.clone(); rows as usize]), element: Box::new(map) }])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn encoders() {
        check(
            "
            ai.onnx.ml:ArrayFeatureExtractor f32[3,n] i64[2] -> f32[3,2]
            ai.onnx.ml:ArrayFeatureExtractor i64[9] i64[1,2] -> i64[1,2]
            ai.onnx.ml:Binarizer f64[3,n] -> f64[3,n] flops=3*n
            ai.onnx.ml:CategoryMapper string[n] -> i64[n]
            ai.onnx.ml:CategoryMapper i64[n,2] -> string[n,2]
            ai.onnx.ml:FeatureVectorizer i64[n,2] f32[n,3] inputdimensions=[2,3] -> f32[n,5]
            ai.onnx.ml:Imputer i64[3,4] -> i64[3,4]
            ai.onnx.ml:LabelEncoder@1 string[n] -> i64[n]
            ai.onnx.ml:LabelEncoder@2 string[n] values_floats=[0.5] -> f32[n]
            ai.onnx.ml:LabelEncoder@4 i64[n] values_strings=['a'] -> string[n]
            ai.onnx.ml:LabelEncoder@4 i64[n] -> error value attributes
            ai.onnx.ml:Normalizer i64[n,4] norm='L2' -> f32[n,4] flops=12*n
            ai.onnx.ml:OneHotEncoder i64[n,2] cats_int64s=[1,2,3] -> f32[n,2,3]
            ai.onnx.ml:Scaler f64[n,4] -> f32[n,4] flops=8*n
            ",
        );
    }

    #[test]
    fn learners() {
        check(
            "
            ai.onnx.ml:LinearClassifier f32[n,2] classlabels_ints=[0,1] coefficients=[0.5,1.5] intercepts=[0.5] -> i64[n] f32[n,2] macs=2*n flops=n
            ai.onnx.ml:LinearClassifier f32[n,2] classlabels_strings=['a','b','c'] coefficients=[0.,1.,2.,3.,4.,5.] post_transform='SOFTMAX' -> string[n] f32[n,3] macs=6*n flops=15*n
            ai.onnx.ml:LinearClassifier f32[n,4] classlabels_ints=[0,1] coefficients=[0.5,1.5] -> error features
            ai.onnx.ml:LinearRegressor i64[5,2] coefficients=[0.5,1.5] targets=1 -> f32[5,1] macs=10 flops=0
            ai.onnx.ml:SVMClassifier f32[n,2] classlabels_ints=[0,1,2] vectors_per_class=[1,1,1] support_vectors=[0.,1.,2.,3.,4.,5.] coefficients=[0.,1.,2.,3.,4.,5.] kernel_type='RBF' rho=[0.,0.,0.] -> i64[n] f32[n,3] macs=12*n flops=9*n
            ai.onnx.ml:SVMRegressor f32[n,2] n_supports=3 support_vectors=[0.,1.,2.,3.,4.,5.] coefficients=[0.,1.,2.] kernel_type='POLY' rho=[0.] -> f32[n,1] macs=9*n flops=10*n
            ai.onnx.ml:TreeEnsembleRegressor f32[n,2] n_targets=1 nodes_treeids=[0,0,0,0,0] nodes_nodeids=[0,1,2,3,4] nodes_truenodeids=[1,3,0,0,0] nodes_falsenodeids=[2,4,0,0,0] nodes_modes=['BRANCH_LEQ','BRANCH_LEQ','LEAF','LEAF','LEAF'] -> f32[n,1] flops=3*n
            ai.onnx.ml:TreeEnsembleClassifier f32[n,2] classlabels_strings=['a','b'] -> string[n] f32[n,2] flops=0
            ai.onnx.ml:TreeEnsemble f64[3,2] n_targets=2 tree_roots=[0] nodes_truenodeids=[0] nodes_falsenodeids=[1] nodes_trueleafs=[1] nodes_falseleafs=[1] -> f64[3,2] flops=9
            ",
        );
    }
}
