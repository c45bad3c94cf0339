use std::fs::{self, File};
use std::thread;

use tempfile::TempDir;

use super::*;
use crate::runner::warm::SOURCES;
use crate::runner::{Interpreter, environment};

/// A module whose children hang before anything of ours runs in them, once they have left word of who they are.
const HANGING: &str = "
import os
def hang():
    with open(__file__ + '.new', 'w') as file:
        file.write(str(os.getpid()))
    os.rename(__file__ + '.new', __file__ + '.pid')
    os.read(os.pipe()[0], 1)
os.register_at_fork(after_in_child=hang)
";

#[tokio::test]
async fn a_script_that_hangs_before_it_begins_is_ended_with_its_template_and_started_cold() {
    let home = tempfile::tempdir().unwrap();
    let template = hanging(&home).await;
    let arguments = ["main.py".into()];
    fs::write(home.path().join("main.py"), "").unwrap();
    let order = Order {
        folder: home.path(),
        report: None,
        env: &[],
        arguments: &arguments,
    };
    let printed = || File::create(home.path().join("printed")).unwrap().into();
    let files = [printed(), printed()];
    let pid = home.path().join("hanging.py.pid");
    let end = async {
        while !pid.exists() {
            tokio::task::yield_now().await;
        }
        template.desk.end();
    };
    let (began, ()) = tokio::join!(template.begin(order, &files), end);
    assert!(matches!(began.unwrap(), Start::Cold(_)));
    let pid: i32 = fs::read_to_string(pid).unwrap().parse().unwrap();
    while procfs::lives(pid) {
        thread::yield_now();
    }
}

/// A template of an interpreter that has imported the module.
async fn hanging(home: &TempDir) -> Template {
    for (name, source) in SOURCES {
        fs::write(home.path().join(name), source).unwrap();
    }
    fs::write(home.path().join("hanging.py"), HANGING).unwrap();
    let mut env = environment::of_most();
    env.push(("PYTHONPATH".into(), home.path().into()));
    let recipe = Recipe {
        program: &Interpreter::resolve(None).unwrap().path,
        script: &home.path().join(super::super::BOTTOM),
        env: &env,
        modules: &["hanging".to_owned()],
    };
    Template::start(recipe).await.unwrap()
}
