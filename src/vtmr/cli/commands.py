"""The commands and their flags.

Each imports what it needs when it runs, so that none pays for another.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

import vtmr
from vtmr.cli.annotation_commands import ANNOTATING
from vtmr.cli.batch_commands import apply
from vtmr.cli.flags import DEFAULT_MODEL, AsJson, EvalMode, Model, Threads, Views, Zoom, count
from vtmr.cli.serve import serve_app

app = typer.Typer(
    name="vtmr",
    help="Clicks become exact object masks.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Look after data sets.")
app.add_typer(data_app, name="data")
evaluate_app = typer.Typer()
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(serve_app, name="serve")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"vtmr {vtmr.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Clicks become exact object masks."""


@app.command()
def segment(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The photo.")],
    click: Annotated[
        list[str] | None,
        typer.Option(
            "--click",
            metavar="X,Y[,-]",
            help="Pixels, x right, y down; - for background. Repeat it.",
        ),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option("--box", metavar="X0,Y0,X1,Y1", help="A box around the object, in pixels."),
    ] = None,
    initial_mask: Annotated[
        Path | None,
        typer.Option(
            "--initial-mask", metavar="M.png", help="A mask to correct, of the photo's size."
        ),
    ] = None,
    correction: Annotated[
        str,
        typer.Option(
            "--correction",
            metavar="here|refit",
            help="On --initial-mask: change only the region clicked, or take the whole answer.",
        ),
    ] = "here",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="MASK.png",
            help="The mask, 0 and 255. Default: IMAGE's name.mask.png.",
        ),
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay", metavar="O.png", help="The photo with mask and clicks drawn on it."
        ),
    ] = None,
    as_json: AsJson = False,
    model: Model = DEFAULT_MODEL,
) -> None:
    """Turn clicks on a photo, or a box, into a mask."""
    from vtmr.cli import predictors
    from vtmr.cli import segment as run

    prompts = run.parse_prompts(box, click or [], initial_mask)
    outputs = run.choose_outputs(image, output, overlay, quiet=as_json)
    pixels, start_mask = run.read_inputs(image, initial_mask)
    loaded = predictors.load(model)
    start = run.session_on(loaded.predictor, pixels, start_mask, correction)
    mask, seconds = run.final_mask(start, prompts)
    if note := run.note_on(prompts, start_mask):
        print(f"vtmr: {note}", file=sys.stderr)
    written = run.write_outputs(outputs, pixels, mask, prompts)
    if as_json:
        print(json.dumps(run.as_record(loaded.name, prompts, mask, seconds)))
        return
    print(run.in_words(loaded.name, prompts, mask, seconds))
    for path in written:
        print(path)


@app.command()
def latency(
    model: Model = DEFAULT_MODEL,
    threads: Threads = None,
    size: Annotated[
        str, typer.Option("--size", metavar="WxH", help="Size the photo is rescaled to.")
    ] = "640x480",
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Which number of threads is best here, up to 8.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Time twenty clicks on a real photo on this machine."""
    from vtmr.cli.latency import measure, parse_size

    if sweep:
        from vtmr.cli import threadsweep

        swept = threadsweep.sweep(model, parse_size(size), threads)
        print(json.dumps(swept.as_record()) if as_json else swept.in_words())
        return
    measured = measure(model, parse_size(size), threads)
    print(json.dumps(measured.as_record()) if as_json else measured.in_words())


@app.command()
def models(
    baselines: Annotated[
        bool, typer.Option("--baselines", help="The methods to compare with instead.")
    ] = False,
    known: Annotated[
        bool, typer.Option("--known", help="Table 1's systems: files, licences, expected figures.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the bundled models and how good they are, or what there is to compare with."""
    if known:
        from vtmr.cli import known as systems

        listed = systems.records()
        print(json.dumps(listed) if as_json else systems.as_text(listed))
        return
    if baselines:
        from vtmr.cli import contenders

        print(
            json.dumps(contenders.baselines())
            if as_json
            else contenders.as_text(contenders.baselines())
        )
        return
    from vtmr.cli.model_table import as_text, records

    print(json.dumps(records()) if as_json else as_text(records()))


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the pictures.")
    ] = Path("vtmr-demo"),
    model: Model = DEFAULT_MODEL,
) -> None:
    """Click through the bundled photos and draw what happens."""
    from vtmr.cli import predictors
    from vtmr.cli.demo import bundled_photos, show

    for shown in show(predictors.load(model).predictor, bundled_photos(), out):
        milliseconds = ", ".join(f"{value:.0f}" for value in shown.click_ms)
        print(f"{shown.photo.title}: {len(shown.click_ms)} clicks, {milliseconds} ms")
        print(f"  {shown.overlay_path.resolve()}\n  {shown.strip_path.resolve()}")


for name, command in ANNOTATING.items():
    app.command(name)(command)
app.command()(apply)


@evaluate_app.callback(invoke_without_command=True)
def evaluate(
    context: typer.Context,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="NAME=PATH", help="A data set's folder. Repeat it."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for records, table and summary.json."),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Bundled model, .onnx file, baseline:NAME, or with --device a .safetensors.",
        ),
    ] = DEFAULT_MODEL,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", parser=count, help="Only the first N objects of a set."
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol",
            metavar="P",
            help="default, all-clicks, random, perturbed or a .toml file.",
        ),
    ] = "default",
    threads: Threads = None,
    device: Annotated[
        str | None,
        typer.Option("--device", help="Run the checkpoint on torch, on this device (cpu, cuda)."),
    ] = None,
    zoom: Zoom = None,
    views: Views = None,
    input_size: Annotated[
        int | None,
        typer.Option(
            "--input-size",
            metavar="N",
            parser=count,
            help="Side of the network's grids, a multiple of 32.",
        ),
    ] = None,
    eval_mode: EvalMode = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", metavar="N", parser=count, help="Processes that play at the same time."
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="I/N", help="Only part I of N, to be merged with the others."
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Play on a Ray cluster: host:port, auto or local."
        ),
    ] = None,
) -> None:
    """Let the robot user click through data sets and report the figures."""
    if context.invoked_subcommand is not None:
        return
    for name, value in (("--data", data), ("--out", out)):
        if not value:
            raise typer.BadParameter("it is needed, but wasn't given", param_hint=name)
    from vtmr.cli.evaluate import evaluate_model
    from vtmr.segmenter import ModelOptions

    evaluate_model(
        data or [],
        model,
        out or Path(),
        limit=limit,
        protocol=protocol,
        options=ModelOptions(
            threads, device, zoom, input_size=input_size, eval_mode=eval_mode, views=views
        ),
        jobs=jobs or 1,
        shard=shard,
        ray=ray,
    )


@evaluate_app.command("merge")
def merge_evaluations(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="The folders of all shards of one run.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A new folder for the whole run.")
    ],
) -> None:
    """Make one run out of its shards."""
    from vtmr.cli.evaluate import merge_shards

    merge_shards(folders, out)


@app.command()
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...", help="Folders of `vtmr evaluate`, first the one to compare with."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for the report. Default: report in the first DIR."
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="NAME=PATH", help="Where a data set lies now. Repeat it."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Draw the masks, too, of the runs that it made. Repeat it."),
    ] = None,
) -> None:
    """Put runs side by side: tables, differences and plots. Needs the extra [bench]."""
    from vtmr.cli.report import report_runs

    page, notes = report_runs(folders, out, data=data or [], models=model or [])
    for note in notes:
        print(f"vtmr: {note}", file=sys.stderr)
    print(page)


@app.command()
def experiment(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="table1 to table6, robots, people, boxes, correction."),
    ],
    data: Annotated[
        list[str],
        typer.Option("--data", metavar="NAME=PATH", help="A data set's folder. Repeat it."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder for the runs, the table and the report."),
    ],
    model: Annotated[
        str, typer.Option("--model", help="The model, as `vtmr evaluate` takes it.")
    ] = DEFAULT_MODEL,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            metavar="LABEL=MODEL",
            help="Models to compare, in place of --model. Repeat it.",
        ),
    ] = None,
    zoo: Annotated[
        Path | None,
        typer.Option("--zoo", metavar="DIR", help="Play the checkpoints in this folder as well."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", parser=count, help="Only the first N objects of a set."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", metavar="N", parser=count, help="Processes that play at the same time."
        ),
    ] = None,
    threads: Threads = None,
    device: Annotated[
        str | None,
        typer.Option("--device", help="Run the checkpoints on torch, on this device (cpu, cuda)."),
    ] = None,
) -> None:
    """Repeat one of the paper's experiments. Needs the extra [bench]."""
    from vtmr.cli.experiment import conduct
    from vtmr.segmenter import ModelOptions

    options = ModelOptions(threads, device)
    page = conduct(
        name, data, variant or [], model, out, zoo=zoo, limit=limit, jobs=jobs or 1, options=options
    )
    print(page)


@data_app.command("check")
def check_data(
    data: Annotated[
        str, typer.Argument(metavar="NAME=PATH", help="The data set's name and folder.")
    ],
    as_json: AsJson = False,
) -> None:
    """Say whether a data set's folder is sound: exit code 1 if it isn't."""
    from vtmr.cli.data import diagnose, print_diagnosis

    diagnosis = diagnose(data, quiet=as_json)
    if as_json:
        print(json.dumps(diagnosis.as_record()))
    else:
        print_diagnosis(diagnosis)
    if not diagnosis.sound:
        raise typer.Exit(1)


@app.command()
def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A .safetensors file of `vtmr train`, or a model file to be used otherwise.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.onnx", help="The model file to write.")
    ],
    zoom: Zoom = None,
    views: Views = None,
    eval_mode: EvalMode = None,
    focus_rule: Annotated[
        str | None,
        typer.Option(
            "--focus-rule", help="What a focus crop is put around: click (its part) or largest."
        ),
    ] = None,
    recrop_share: Annotated[
        float | None,
        typer.Option(
            "--recrop-share", metavar="SHARE", help="The file's own recrop_share, 0 to 1."
        ),
    ] = None,
    target_ratio: Annotated[
        float | None,
        typer.Option(
            "--target-ratio", metavar="RATIO", help="The target crop's side to the object's."
        ),
    ] = None,
    focus_ratio: Annotated[
        float | None,
        typer.Option(
            "--focus-ratio", metavar="RATIO", help="The focus crop's side to the change's."
        ),
    ] = None,
    box_prompt: Annotated[
        bool | None,
        typer.Option(
            "--box-prompt/--no-box-prompt", help="A box is told as a filled mask, or as a click."
        ),
    ] = None,
) -> None:
    """Make a model file that runs without torch from a training checkpoint.

    Needs the extra [train].
    """
    from vtmr.errors import needs_extra
    from vtmr.segmenter import used_as

    with needs_extra("train"):
        from vtmr.models.export import export_checkpoint

        changed = used_as(
            zoom,
            eval_mode,
            views,
            focus_rule=focus_rule,
            recrop_share=recrop_share,
            target_ratio=target_ratio,
            focus_ratio=focus_ratio,
            box_prompt=box_prompt,
        )
        spec = export_checkpoint(checkpoint, output, changed)
    print(f"{output}: {spec.model}")


@app.command(name="import")
def import_official(
    official: Annotated[
        Path,
        typer.Argument(metavar="OFFICIAL", help="A released checkpoint (see `models --known`)."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="X.safetensors", help="The checkpoint to write."),
    ],
    vgg: Annotated[Path | None, typer.Option(help="MatConvNet's VGG-19, for LD alone.")] = None,
    refinement: Annotated[
        str | None,
        typer.Option(
            help="For f-BRS's networks: fbrs-a, fbrs-b, fbrs-c, rgb-brs, distmap-brs or none."
        ),
    ] = None,
) -> None:
    """Turn another system's released checkpoint into one of ours. Needs the extra [train]."""
    from vtmr.errors import needs_extra

    with needs_extra("train"):
        from vtmr.models.converted import import_checkpoint

        spec = import_checkpoint(official, output, vgg, refinement)
    print(f"{output}: {spec.model}, licence: {spec.licence}")


@app.command()
def train(
    recipe: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE.toml", help="The run's configuration, or a folder of numbered stages."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for checkpoints, log and plots.")
    ],
    init: Annotated[
        Path | None,
        typer.Option("--init", metavar="W", help="Weights to start from: .safetensors or .onnx."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that DIR holds.")
    ] = False,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change one value of the recipe. Repeat it."
        ),
    ] = None,
) -> None:
    """Train a network by a recipe, or by a folder of recipes in turn. Needs the extra [train]."""
    from vtmr.cli.train import train_recipe

    train_recipe(recipe, out, init=init, resume=resume, overrides=override or [])
