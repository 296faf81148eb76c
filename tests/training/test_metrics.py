"""metrics.csv."""

from leo_tf.training.metrics import drop_rows_after


def test_metrics_after_the_step_resumed_from_and_cut_short_are_dropped(tmp_path):
    path = tmp_path / "metrics.csv"
    drop_rows_after(path, 0)
    assert not path.exists()
    path.write_text("epoch,loss,step\n0,1.5,100\n1,1.25,200\n2,1.0,300\n3,0.")
    drop_rows_after(path, 200)
    assert path.read_text() == "epoch,loss,step\n0,1.5,100\n1,1.25,200\n"
    path.write_text("")
    drop_rows_after(path, 200)
    assert path.read_text() == ""
